"""The notebook's recipe in the project's own code, for three epochs.

Usage: python benchmarks/recipe.py PRECISION, in a project's top folder. Prints the seconds of the
second and the third epoch as JSON, as notebook.py does.
"""

from __future__ import annotations

from beside import run

import itertools
import json
import time
from pathlib import Path

import msgspec

from mnist_vae import process
from mnist_vae.errors import InputError
from mnist_vae.files.images import IMAGES
from mnist_vae.nets import devices
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import read_params
from mnist_vae.train import autoencode
from mnist_vae.train.recipe import Recipe


def main() -> None:
    process.tune_for_training()
    precision = process.argument("PRECISION")
    device = devices.pick()
    if precision == "bfloat16" and not devices.has_bfloat16(device):
        raise InputError("PRECISION: found bfloat16, which this machine computes in float32")
    settings, recipe = read_params(("models.vae16", ModelSettings), ("recipes.notebook", Recipe))
    few = msgspec.structs.replace(recipe, epochs=3, precision=precision)
    arrays, _ = IMAGES.read(Path("data/train.safetensors"), split="train")
    images = devices.to_device(arrays["images"], device)

    epochs = autoencode.train(build(settings), settings, few, images, seed=0)
    ends = [time.perf_counter() for _ in epochs]
    print(json.dumps([end - start for start, end in itertools.pairwise(ends)]))


if __name__ == "__main__":
    run(main)
