"""A small project for whatever runs DVC: a copy of the working tree with 400 + 300 real images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import yaml

from mnist_vae.files import store

ROOT = Path(__file__).resolve().parent.parent


def environment(folder: Path) -> dict[str, str]:
    """Of commands in a copy: its code as if installed, this Python, nothing of other copies."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site"),
        "MNIST_VAE_DEVICE": "cpu",
    }


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def edit(path: Path, change: Callable[[dict], None]) -> None:
    tree = yaml.safe_load(path.read_text())
    change(tree)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


def tracked_copy(target: Path) -> Path:
    """What a clean clone of the working tree has: the files that Git tracks or would track."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    assert run(target, "git", "init", "-q").returncode == 0
    return target


def build(target: Path, models: Sequence[str], epochs: int) -> Path:
    """A copy in which nothing but the download has run: these models, few iterations."""

    def shrink(tree: dict) -> None:
        tree["models"] = {name: tree["models"][name] for name in models}
        tree["recipes"]["fast"]["epochs"] = epochs
        tree["embed"] |= {"early_iterations": 20, "iterations": 30}
        tree["classifier"]["epochs"] = 3
        tree["evaluate"] |= {"samples": 2, "images": 20}

    copy = tracked_copy(target)
    shutil.rmtree(copy / "reports")
    (copy / "dvc.lock").unlink(missing_ok=True)
    edit(copy / "params.yaml", shrink)
    for split in ("train", "test"):
        with np.load(ROOT / "tests" / "data" / f"{split}.npz") as arrays:
            path = copy / "data" / "mnist" / f"{split}.safetensors"
            store.write_arrays(path, "images", dict(arrays), split=split)
    # Take the small files for what the download stage wrote.
    done = run(copy, "dvc", "commit", "--force", "download")
    assert done.returncode == 0, done.stderr
    return copy
