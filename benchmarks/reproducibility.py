"""How far one training's results differ between threads, precisions and devices.

Usage: python benchmarks/reproducibility.py. Needs data/, which `make reproduce` leaves, and
writes reports/reproducibility.json. Every training is a process of its own with one seed; what
differs is named in the first column. Two runs of the same kind come first: they must be identical.
"""

from __future__ import annotations

from beside import ROOT, run

import hashlib
from typing import Any

import torch
from trainings import train

from mnist_vae.files import store
from mnist_vae.nets import devices

MODELS = ("vae16", "vae2")


def kinds() -> dict[str, tuple[str, dict[str, str]]]:
    """Precision and environment of each kind of training, by name."""
    fastest = "bfloat16" if devices.has_bfloat16(torch.device("cpu")) else "float32"
    one, two = ({devices.VARIABLE: "cpu", "OMP_NUM_THREADS": number} for number in "12")
    named = {
        f"2 threads, {fastest}": (fastest, two),
        "the same again": (fastest, two),
        f"1 thread, {fastest}": (fastest, one),
        "2 threads, float32": ("float32", two),
    }
    if torch.cuda.is_available():
        for precision in ("bfloat16", "float32"):
            named[f"CUDA, {precision}"] = (precision, {devices.VARIABLE: "cuda"})
    return named


def measure(name: str, precision: str, env: dict[str, str]) -> dict[str, float | str]:
    """Train a model and measure it on the test set, from its posterior means."""

    def change(tree: dict[str, Any]) -> None:
        tree["recipes"][tree["recipe"]]["precision"] = precision

    training = train(ROOT, name, change, **env)
    digest = hashlib.sha256()
    for value in training.network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return {
        "weights_sha256": digest.hexdigest(),
        "final_training_loss": training.final_training_loss,
        "test_squared_error": training.test_squared_error,
    }


def main() -> None:
    measured = {
        name: {kind: measure(name, precision, env) for kind, (precision, env) in kinds().items()}
        for name in MODELS
    }
    store.write_json(
        ROOT / "reports" / "reproducibility.json",
        {
            "torch": torch.__version__,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            **measured,
        },
    )
    for name, rows in measured.items():
        for kind, values in rows.items():
            print(
                f"| {name} | {kind} | {values['final_training_loss']:.4f} | "
                f"{values['test_squared_error']:.4f} | `{str(values['weights_sha256'])[:8]}` |"
            )


if __name__ == "__main__":
    run(main)
