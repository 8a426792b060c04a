"""Trainings, each a process of its own in a copy of the project, measured on the test images."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from copies import Change, copy, python
from machine import spread

from mnist_vae.files import curves
from mnist_vae.files.images import IMAGES
from mnist_vae.latents.codes import decode, encode
from mnist_vae.nets import weights
from mnist_vae.nets.likelihood import squared_error
from mnist_vae.nets.vae import VAE

PEAK = Path(__file__).with_name("peak.py")


def with_seed(name: str, seed: int) -> Change:
    """Let a model train with a seed, whatever params.yaml says."""

    def change(tree: dict[str, Any]) -> None:
        tree["seed"] = seed
        tree["models"][name].pop("seed", None)

    return change


class Training(NamedTuple):
    """What one `python stages/train.py` took and gave."""

    seconds: float
    """Of the whole process, imports included."""
    final_training_loss: float
    test_squared_error: float
    """Of the decoded posterior means, per image."""
    peak_gib: float
    network: VAE
    """On the CPU."""


def train(project: Path, name: str, change: Change, **env: str) -> Training:
    """Train a model of a project with other params, and with an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        copy(project, target, change)
        (target / "data").symlink_to(project / "data")
        start = time.perf_counter()
        printed = python(target, str(PEAK), "stages/train.py", name, **env)
        seconds = time.perf_counter() - start
        curve = curves.read(target / f"reports/curves/{name}.csv")
        network, _ = weights.load(target / f"models/{name}.safetensors", name)
    test, _ = IMAGES.read(project / "data/test.safetensors", split="test")
    pixels = decode(network, encode(network, test["images"]).mean)
    errors = squared_error(torch.from_numpy(test["images"]) / 255, torch.from_numpy(pixels))
    return Training(
        seconds,
        final_training_loss=float(curve["loss"][-1]),
        test_squared_error=float(errors.mean()),
        peak_gib=float(printed.splitlines()[-1]),
        network=network,
    )


def summary(runs: Sequence[Training], notebook: float) -> dict[str, object]:
    """Several trainings, and how often they fit into the notebook's seconds."""
    return {
        "seconds": spread([run.seconds for run in runs]),
        "final_training_loss": spread([run.final_training_loss for run in runs]),
        "test_squared_error": spread([run.test_squared_error for run in runs]),
        "times_faster": notebook / statistics.fmean(run.seconds for run in runs),
        "peak_gib": max(run.peak_gib for run in runs),
    }
