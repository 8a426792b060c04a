"""Small studies: a project to run one in, and made-up tables with known answers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mnist_vae.files.store import Arrays
from mnist_vae.nets import classifier_weights
from mnist_vae.nets.classifier import Classifier
from support.project import DIGITS, edit, environment, smallest, write_images

TABLE = "reports/study/main/trainings.csv"
TRIALS = 12
MEASURE = {
    "components": 2,
    "fit_images": 60,
    "samples": 50,
    "likelihood_images": 5,
    "likelihood_samples": 2,
}


def shrink(tree: dict[str, Any]) -> None:
    """Let the main grid be of twelve trainings, each of a second or less."""
    tree["study"]["measure"] |= MEASURE
    grids = tree["study"]["grids"]
    grids["main"] |= {"dims": [1, 3], "seeds": [0, 1, 2]}
    grids["main"]["models"].pop("sigma")
    tree["study"]["grids"] = {"main": grids["main"]}


def write_data(project: Path) -> None:
    """The files that a study reads: small images, and a classifier that has learned nothing."""
    write_images(project)
    torch.manual_seed(0)
    facts = classifier_weights.ClassifierFacts(
        dataset="MNIST", image_size=28, channels=1, classes=DIGITS
    )
    classifier_weights.save(project / "data/classifier.safetensors", Classifier(), facts)


def project_of_study(target: Path) -> Path:
    """A project without Git and DVC in which the small grid can run."""
    smallest(target, ["vae2"])
    edit(target / "params.yaml", shrink)
    write_data(target)
    return target


def study(project: Path, **env: str) -> subprocess.Popen[str]:
    """Start the study of the main grid."""
    return subprocess.Popen(
        [sys.executable, "stages/study.py", "main"],
        cwd=project,
        env=environment(project) | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of what was started."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def results(project: Path) -> dict[Path, tuple[int, int]]:
    """The results that are kept, with what changes when one is written again."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (project / "data/study").glob("*.json")
    }


def until(true: Callable[[], object], seconds: float = 120) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def dask_cluster(project: Path, logs: Path) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and two workers in processes of their own: its address, and the workers."""
    file = logs / "scheduler.json"
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--scheduler-file", str(file)]
        with (logs / f"{name}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [*command, "--host", "127.0.0.1", "--no-dashboard"],
                    cwd=logs,
                    env=environment(project),
                    stdout=log,
                    stderr=log,
                    text=True,
                )
            )

    try:
        start("scheduler", "scheduler", "--port", "0")
        until(file.exists)
        for name in ("one", "other"):
            start(name, "worker", "--nthreads", "1")
        yield json.loads(file.read_text())["address"], started[1:]
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def table_of(errors: Mapping[tuple[str, int], Sequence[float]]) -> Arrays:
    """A table of one metric, the squared error: of each model and number of dimensions, by seed.

    Models whose name begins with ``ae`` are autoencoders.
    """
    rows = [
        (model, dims, seed, error)
        for (model, dims), values in errors.items()
        for seed, error in enumerate(values)
    ]
    model, dims, seed, error = zip(*rows, strict=True)
    return {
        "dataset": np.full(len(model), "MNIST"),
        "binarise": np.full(len(model), "none"),
        "recipe": np.full(len(model), "fast"),
        "model": np.array(model),
        "kind": np.array([name[:2] if name.startswith("ae") else "vae" for name in model]),
        "likelihood": np.full(len(model), "fixed"),
        "latent_dim": np.array(dims),
        "kl_weight": np.array([np.nan if name.startswith("ae") else 1.0 for name in model]),
        "seed": np.array(seed),
        "squared_error": np.array(error, np.float64),
    }
