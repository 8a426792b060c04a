"""Keep the few numbers of a model that stand for the rest. Usage: python stages/results.py MODEL

They are what `dvc metrics show`, `dvc metrics diff` and `dvc exp show` show: all that is measured
fills no terminal's line.
"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.measure.catalog import lookup
from mnist_vae.report.metrics import read_model

RESULTS = {
    "squared_error": "distortion.squared_error",
    "kl": "rate.kl",
    "probe_accuracy": "latent.probe_accuracy",
    "frechet": "samples.standard.frechet",
    "frechet_fitted": "samples.classes.frechet",
}
"""Where each stands among all that is measured; of N(0, I), then of the mixtures a class."""


def main() -> None:
    name = process.argument("MODEL")
    measured = read_model(name, made=False)
    found = {result: lookup(measured, path) for result, path in RESULTS.items()}
    there = {result: number for result, number in found.items() if number is not None}
    store.write_json(Path(f"reports/results/{name}.json"), there)


if __name__ == "__main__":
    run(main)
