"""How far the results of every model spread over seeds: means ± standard deviations.

Usage: python benchmarks/over_seeds.py [--seeds N]. Needs data/, which `make reproduce` leaves,
and writes reports/over_seeds.json. Every training is a process of its own, by the recipe of
params.yaml.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
from pathlib import Path

from machine import spread
from trainings import train, with_seed

from mnist_vae.files import store
from mnist_vae.settings import read_params


def measure(project: Path, seeds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Spreads of the last training loss and of the test squared error, for each model."""
    (models,) = read_params(("models", dict[str, object]), path=project / "params.yaml")
    spreads = {}
    for name in models:
        trainings = [train(project, name, with_seed(name, seed)) for seed in range(seeds)]
        spreads[name] = {
            "final_training_loss": spread([each.final_training_loss for each in trainings]),
            "test_squared_error": spread([each.test_squared_error for each in trainings]),
        }
        loss, error = (f"{s['mean']:.3f} ± {s['sd']:.3f}" for s in spreads[name].values())
        print(f"| {name} | {loss} | {error} |", flush=True)
    return spreads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each model")
    options = parser.parse_args()
    if options.seeds < 2:
        parser.error(f"--seeds: found {options.seeds}, must be at least 2")
    spreads = measure(ROOT, options.seeds)
    store.write_json(ROOT / "reports/over_seeds.json", {"models": spreads})


if __name__ == "__main__":
    run(main)
