"""What is made again is compared with what is committed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rebuild import Stages, compare, plan


def stage(deps: list[str], outs: list[str], contents: str = "") -> dict[str, Any]:
    md5 = hashlib.md5(contents.encode(), usedforsecurity=False).hexdigest()
    return {
        "cmd": "python stages/x.py",
        "deps": [{"path": path} for path in deps],
        "outs": [{"path": path, "md5": md5} for path in outs],
    }


STAGES: Stages = {  # in no order, as in dvc.lock
    "report": stage(["reports/metrics", "src/page.py"], ["reports/index.html"]),
    "evaluate@vae2": stage(["models/vae2"], ["reports/metrics/vae2.json"]),
    "train@vae2": stage(["data/train"], ["models/vae2"], "weights"),
    "download": stage(["data/checked", "datasets/mnist"], ["data/train"], "images"),
    "settings": stage(["src/settings.py"], ["data/checked"], "checked"),
}
METRICS = {"distortion": {"squared_error": 29.5}, "train": {"loss": 29.6}, "device": "CPU"}
SPREADS = {name: {"sd": 0.1} for name in ("test_squared_error", "final_training_loss")}
FILES = {
    "src/page.py": "",
    "src/settings.py": "",
    "datasets/mnist/source.yaml": "",
    "reports/index.html": "<p>29.5</p>",
    "reports/metrics/vae2.json": json.dumps(METRICS),
    "reports/over_seeds.json": json.dumps({"models": {"vae2": SPREADS}}),
}
MADE = FILES | {"data/checked": "checked", "data/train": "images", "models/vae2": "weights"}


def lay_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_what_needs_no_data_is_made_by_itself_and_all_in_order(tmp_path: Path) -> None:
    clone = lay_out(tmp_path, FILES)
    assert plan(STAGES, clone, everything=False) == ["report", "settings"]
    assert plan(STAGES, clone, everything=True) == [
        *("settings", "download", "train@vae2", "evaluate@vae2", "report")
    ]
    (clone / "src/page.py").unlink()
    assert plan(STAGES, clone, everything=False) == ["settings"]


def other_error(error: float, device: str) -> Callable[[dict[str, str]], dict[str, str]]:
    metrics = METRICS | {"distortion": {"squared_error": error}, "device": device}
    return lambda files: files | {"reports/metrics/vae2.json": json.dumps(metrics)}


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (lambda files: files, []),
        (
            lambda files: files | {"reports/index.html": "<p>29.4</p>"},
            ["reports/index.html: report does not make what is committed"],
        ),
        (
            lambda files: files | {"data/train": "other images"},
            ["data/train: download does not make what dvc.lock says"],
        ),
        (
            lambda files: {name: files[name] for name in files if name != "models/vae2"},
            ["models/vae2: train@vae2 does not make what dvc.lock says"],
        ),
        (
            other_error(29.6, "CPU"),
            ["reports/metrics/vae2.json: evaluate@vae2 does not make what is committed"],
        ),
        # Elsewhere errors differ as those of seeds do; images do not.
        (other_error(29.9, "NVIDIA"), []),
        (
            other_error(30.2, "NVIDIA"),
            [
                "vae2: distortion.squared_error is 29.5, here 30.2: more than 6 standard "
                "deviations of 0.1"
            ],
        ),
        (
            lambda files: other_error(29.5, "NVIDIA")(files) | {"data/train": "other"},
            ["data/train: download does not make what dvc.lock says"],
        ),
    ],
)
def test_what_differs_is_named(
    tmp_path: Path, change: Callable[[dict[str, str]], dict[str, str]], faults: list[str]
) -> None:
    root = lay_out(tmp_path / "root", FILES)
    made = lay_out(tmp_path / "made", change(MADE))
    assert list(compare(STAGES, made, root)) == faults
