"""The default recipe against the notebook's, on the images of a project.

Usage: python benchmarks/elsewhere.py [--epochs N] [--seeds N], in a project's top folder. Both
train the 16-d VAE in this code, which takes the notebook's steps in less time; beside it stands
what an epoch of the notebook's own loop takes on these images. Keeps what it measured under the
data set's name in reports/elsewhere.json.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from copies import python
from machine import spread
from msgspec.structs import replace

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.split import Split, read_split
from mnist_vae.latents.codes import decode, encode
from mnist_vae.nets import devices
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import read_params
from mnist_vae.train import autoencode
from mnist_vae.train.recipe import Recipe

MODEL = "vae16"
OUTPUT = ROOT / "reports" / "elsewhere.json"


def learn(
    train: Split, test: Split, settings: ModelSettings, recipe: Recipe, seed: int
) -> tuple[list[float], float, float]:
    """Training losses by epoch, squared error per test image, and seconds of the training."""
    images = devices.to_device(train.images, devices.pick())
    network = build(settings, image_size=train.image_size, channels=train.channels)
    start = time.perf_counter()
    recipe = recipe.for_images(len(images))
    epochs = list(autoencode.train(network, settings, recipe, images, seed=seed))
    seconds = time.perf_counter() - start
    pixels = decode(network, encode(network, test.images).mean)
    errors = np.square(pixels - test.images / np.float32(255)).sum((1, 2, 3))
    return [epoch.means["loss"] for epoch in epochs], float(errors.mean()), seconds


def compare(epochs: int, seeds: int) -> dict[str, Any]:
    """Both recipes over seeds, and what the notebook's loop takes for an epoch."""
    settings, fast, notebook = read_params(
        (f"models.{MODEL}", ModelSettings), ("recipes.fast", Recipe), ("recipes.notebook", Recipe)
    )
    train, test = read_split("train"), read_split("test")
    notebook = replace(notebook, epochs=epochs, precision=fast.precision)
    loop = json.loads(python(Path(), str(ROOT / "benchmarks/notebook.py")).splitlines()[-1])
    ours = [learn(train, test, settings, fast, seed) for seed in range(seeds)]
    theirs = [learn(train, test, settings, notebook, seed) for seed in range(seeds)]
    marks = [epoch for epoch in (1, 2, 4, 10, 20, 30, 100, 300) if epoch <= epochs]
    return {
        "images": len(train.images),
        "shape": list(train.images.shape[1:]),
        "notebook_loop_epoch_seconds": spread(loop),
        "fast": {
            "seconds": spread([seconds for _, _, seconds in ours]),
            "training_loss": spread([losses[-1] for losses, _, _ in ours]),
            "test_squared_error": spread([error for _, error, _ in ours]),
        },
        "notebook": {
            "epochs": epochs,
            "training_loss_after": {
                str(mark): spread([losses[mark - 1] for losses, _, _ in theirs]) for mark in marks
            },
            "test_squared_error": spread([error for _, error, _ in theirs]),
        },
    }


def main() -> None:
    process.tune_for_training()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30, help="of the notebook's recipe")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    table = store.read_json(options.output) if options.output.exists() else {}
    name = f"{read_split('train').dataset}, {options.epochs} epochs"
    table[name] = compare(options.epochs, options.seeds)
    store.write_json(options.output, table)
    print(json.dumps({name: table[name]}, indent=2))


if __name__ == "__main__":
    run(main)
