"""Copies of the project, and processes that run in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from mnist_vae.data.idx import PREFIXES
from mnist_vae.errors import InputError
from mnist_vae.files.images import IMAGES

Change: TypeAlias = Callable[[dict[str, Any]], None]
"""Changes what params.yaml holds."""


def copy(project: Path, target: Path, change: Change) -> None:
    """Copy what the stages of a project need but for its data, with other params."""
    # With what is compiled already: copying keeps files' times.
    for folder in ("src", "stages", "studies", "versions"):
        shutil.copytree(project / folder, target / folder)
    for file in ("dvc.yaml", "pyproject.toml"):
        shutil.copy2(project / file, target / file)
    tree = yaml.safe_load((project / "params.yaml").read_text())
    dataset = Path("datasets") / tree["data"]["dataset"]
    if (project / dataset / "source.yaml").exists():  # what is published; it is fetched, not copied
        shutil.copytree(project / dataset, target / dataset)
    change(tree)
    (target / "params.yaml").write_text(yaml.safe_dump(tree))


def shrink(project: Path, target: Path) -> None:
    """Copy a project with 400 + 300 of its images and params by which everything ends soon."""

    def change(tree: dict[str, Any]) -> None:
        for section in (tree["recipes"][tree["recipe"]], tree["classifier"]):
            section |= {"epochs": 1, "least_images": 1}
        tree["embed"] |= {"early_iterations": 20, "iterations": 30}

    copy(project, target, change)
    for split, count in zip(PREFIXES, (400, 300), strict=True):
        name = f"data/{split}.safetensors"
        arrays, facts = IMAGES.read(project / name, split=split)
        few = {key: array[:count] for key, array in arrays.items()}
        IMAGES.write(target / name, few, facts)


def python(folder: Path, *arguments: str, **env: str) -> str:
    """What a new Python prints in a folder; raises InputError with its last words if it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        (sys.executable, *arguments),
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        last = "".join(process.stderr.strip().splitlines()[-1:])
        raise InputError(f"{' '.join(arguments)} ended with {process.returncode}: {last}")
    return process.stdout
