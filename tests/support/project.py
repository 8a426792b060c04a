"""Small projects with 400 + 300 real images, for whatever runs stages or DVC."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from deps import is_code

from mnist_vae.files import store

ROOT = Path(__file__).resolve().parents[2]
STAGES: dict[str, dict[str, Any]] = {
    name: stage.get("do", stage)
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
CHECKED = "data/settings.checked"
IGNORE = (".dvcignore", ".gitignore")


def outs(stage: str) -> list[str]:
    """Paths of all that a stage writes, as dvc.yaml names them."""
    written = [out for kind in ("outs", "metrics", "plots") for out in STAGES[stage].get(kind, [])]
    return [next(iter(out)) if isinstance(out, dict) else out for out in written]


def data_deps(stage: str) -> list[str]:
    """Paths of all that a stage reads and that is no code, as dvc.yaml names them.

    Without ``studies``, which is read where a study has run: no project here has one. And without
    what only says that the settings have been checked.
    """
    deps = [dep.replace("${data.dataset}", "mnist") for dep in STAGES[stage]["deps"]]
    return [dep for dep in deps if not is_code(dep) and dep not in ("studies", CHECKED)]


DIGITS = tuple("0123456789")


def images_of(split: str) -> dict[str, np.ndarray]:
    """400 real images for training or 300 for test, uint8 [N, 1, 28, 28], with their labels."""
    with np.load(ROOT / "tests" / "data" / f"{split}.npz") as arrays:
        return {"images": arrays["images"][:, None], "labels": arrays["labels"]}


def write_images(project: Path) -> None:
    """Write what the download stage would write, but small, and what the one before it does."""
    (project / CHECKED).parent.mkdir(parents=True, exist_ok=True)
    (project / CHECKED).write_text("All settings are in order.\n")
    for split in ("train", "test"):
        path = project / f"data/{split}.safetensors"
        facts = {"split": split, "dataset": "MNIST", "classes": DIGITS}
        store.write_arrays(path, "images", images_of(split), **facts)


def environment(folder: Path) -> dict[str, str]:
    """Of commands in a copy: its code as if installed, this Python, nothing of other copies.

    And no shell of the user's: DVC then takes sh, and where that waits for what it runs, a stage is
    no child of DVC's.
    """
    return {name: value for name, value in os.environ.items() if name != "SHELL"} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site"),
        "MNIST_VAE_DEVICE": "cpu",
    }


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    tree = yaml.safe_load(path.read_text())
    change(tree)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


def contents(project: Path) -> dict[Path, bytes]:
    """All files that stages made, and whatever they left."""
    return {
        path: path.read_bytes()
        for folder in ("data", "models", "reports", "checkpoints")
        for path in sorted((project / folder).rglob("*"))
        if path.is_file()
    }


def identities(project: Path) -> dict[Path, tuple[int, int]]:
    """What changes whenever a file is written, be it with the same contents."""
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in contents(project)}


@contextlib.contextmanager
def restored(*paths: Path) -> Iterator[None]:
    """Put the files back as they were, whatever became of them."""
    kept = {path: path.read_bytes() for path in paths}
    try:
        yield
    finally:
        for path, data in kept.items():
            if path.is_dir():
                path.rmdir()
            path.write_bytes(data)


def smallest(target: Path, models: Sequence[str]) -> Path:
    """A project without Git in which nothing has run: these models, as little work as may be."""

    def shrink(tree: dict[str, Any]) -> None:
        tree["models"] = {name: tree["models"][name] for name in models}
        for section in (tree["recipes"]["fast"], tree["classifier"]):
            section |= {"epochs": 1, "least_images": 1}
        tree["evaluate"] = {"samples": 1, "images": 2}
        tree["made"], tree["priors"] = dict.fromkeys(models, 50), {"components": 2}
        tree["encode"] |= {"steps": 3, "manifold_steps": 3}
        tree["figures"]["dpi"] = 50
        tree["data"] |= {"sources": ["npm"], "timeout": 30}

    for name in ("stages", "src", "studies", "datasets/mnist", "versions", ".dvc/plots"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "dvc.yaml", "params.yaml", ".dvc/config", *IGNORE):
        shutil.copy(ROOT / name, target / name)
    edit(target / "params.yaml", shrink)
    return target


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

    def shrink(tree: dict[str, Any]) -> None:
        tree["models"] = {name: tree["models"][name] for name in models}
        tree["recipes"]["fast"] |= {"epochs": epochs, "least_images": 1}
        tree["embed"] |= {"early_iterations": 20, "iterations": 30}
        tree["classifier"] |= {"epochs": 3, "least_images": 1}
        tree["evaluate"] |= {"samples": 2, "images": 20}
        tree["made"], tree["priors"] = dict.fromkeys(models[:1], 50), {"components": 2}

    copy = tracked_copy(target)
    shutil.rmtree(copy / "reports")
    (copy / "dvc.lock").unlink(missing_ok=True)
    edit(copy / "params.yaml", shrink)
    write_images(copy)
    return _downloaded(copy)


def build_full(target: Path) -> Path:
    """The same with all images, and one model as it stands in params.yaml."""

    def shrink(tree: dict[str, Any]) -> None:
        tree["models"] = {"vae2": tree["models"]["vae2"]}
        tree["made"] = {"vae2": 60_000}

    copy = tracked_copy(target)
    shutil.rmtree(copy / "reports")
    (copy / "dvc.lock").unlink(missing_ok=True)
    edit(copy / "params.yaml", shrink)
    write_images(copy)
    for split in ("train", "test"):  # in the place of the small ones
        shutil.copy(ROOT / f"data/{split}.safetensors", copy / "data")
    return _downloaded(copy)


def _downloaded(copy: Path) -> Path:
    """Take the files that are there for what the download stage wrote."""
    done = run(copy, "dvc", "commit", "--force", "settings", "download")
    assert done.returncode == 0, done.stderr
    return copy
