"""Train one model: images in, weights and loss curve out. Usage: python stages/train.py MODEL

By several processes, on a card each: torchrun --nproc-per-node=2 stages/train.py MODEL
"""

from __future__ import annotations

from start import run

from pathlib import Path

import torch

from mnist_vae import parallel, process
from mnist_vae.files import curves, lock
from mnist_vae.files.split import read_split
from mnist_vae.nets import devices, weights
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import Seed, read_params
from mnist_vae.train import autoencode, progress
from mnist_vae.train.loop import pick_dtype
from mnist_vae.train.recipe import Recipe


def main() -> None:
    process.tune_for_training()
    name = process.argument("MODEL")
    params = read_params(
        (f"models.{name}", ModelSettings), ("recipes.${recipe}", Recipe), ("seed", Seed)
    )
    if parallel.is_first():
        with lock.held(autoencode.FOLDER / f".{name}.lock", f"training {name}"):
            train(name, *params)
    else:
        train(name, *params)


def train(name: str, settings: ModelSettings, recipe: Recipe, seed: int) -> None:
    data = read_split("train", grey=True)
    vae = build(settings, image_size=data.image_size, channels=data.channels)
    device = devices.pick()
    images = devices.to_device(data.images, device)
    recipe, seed = recipe.for_images(len(images)), settings.pick_seed(seed)
    drawn = data.binarise == "stochastic"

    with parallel.together(device):
        first, kept, shown = parallel.is_first(), None, None
        if first:  # of several processes the first writes
            kept = autoencode.checkpoints_of(
                name, settings, recipe, images, seed=seed, binarise=drawn, device=device
            )
            shown = progress.Progress(name, recipe.epochs, len(images), len(kept.epochs))
        epochs = autoencode.train(
            vae,
            settings,
            recipe,
            images,
            seed=seed,
            binarise=drawn,
            device=device,
            checkpoints=kept,
            tick=shown.tick if shown else None,
        )
        if shown:
            epochs = shown.follow(epochs)
        curve = []
        for epoch in epochs:
            curve.append((epoch.number, epoch.means))
            if first:  # written as it grows, so that a running training can be watched
                curves.write(Path(f"reports/curves/{name}.csv"), curve)
    if not kept:
        return
    precision = str(pick_dtype(recipe, device)).removeprefix("torch.")
    facts = weights.ModelFacts(
        model=name,
        settings=settings,
        seed=seed,
        epochs=recipe.epochs,
        dataset=data.dataset,
        image_size=data.image_size,
        channels=data.channels,
        classes=data.classes,
        variance=curve[-1][1]["squared_error"] / data.images[0].size,
        device=f"{devices.describe(device)}, {precision}",
        torch=str(torch.__version__),
    )
    weights.save(Path(f"models/{name}.safetensors"), vae, facts)
    kept.clear()


if __name__ == "__main__":
    run(main)
