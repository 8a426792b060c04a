"""The choices of recipes and of t-SNE's settings, shown on images held out of the training ones.

Usage: python benchmarks/choose.py {recipe,tsne,published} [--seeds N]. Models learn all training
images but the last 10,000, and are measured on these; the test images play no part. Keeps what it
measured in reports/choices.json.

recipe: the default recipe with other epochs and learning rates, by the squared error of decoded
posterior means. tsne: other settings of the map, by what it keeps of the held-out images' latents;
the maps of the report are of test images' latents, which no setting was chosen on. published: other
recipes for the first row of published.py, by the negative ELBO.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import published
import torch
import tsne
from machine import spread
from msgspec.structs import replace
from openTSNE.affinity import PerplexityBasedNN

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.split import read_split
from mnist_vae.latents import maps
from mnist_vae.latents.codes import decode, encode
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import read_params
from mnist_vae.train import autoencode
from mnist_vae.train.recipe import Recipe

HELD_OUT = 10_000
OUTPUT = ROOT / "reports" / "choices.json"
MODELS = ("vae16", "vae2")
EPOCHS = (3, 4, 6)
RATES = (0.5, 1.0, 2.0)
"""Factors on the learning rate."""
MAPS: tuple[dict[str, float], ...] = (
    {},
    {"perplexity": 15},
    {"perplexity": 50},
    {"theta": 0.5},
    {"momentum": 0.8},
    {"iterations": 250},
    {"iterations": 500},
)
"""Changes of one of t-SNE's settings."""
BURDA: tuple[dict[str, Any], ...] = (
    {"learning_rate": 0.001, "beta2": 0.999},
    {"learning_rate": 0.002, "beta2": 0.999},
    {"learning_rate": 0.004, "beta2": 0.999},
    {"learning_rate": 0.008, "beta2": 0.999},
    {"learning_rate": 0.016, "beta2": 0.999},
    {"learning_rate": 0.008, "beta2": 0.99},
    {"learning_rate": 0.008, "beta2": 0.999, "last_batch_size": 100},
    {"learning_rate": 0.004, "beta2": 0.999, "batch_size": 250},
)
BURDA_EPOCHS = 8
"""Epochs in which these are compared."""


def learn(settings: ModelSettings, recipe: Recipe, images: np.ndarray, seed: int) -> VAE:
    """A model trained on grey images [N, C, H, H]."""
    network = build(settings, image_size=images.shape[2], channels=images.shape[1])
    for _ in autoencode.train(network, settings, recipe, torch.from_numpy(images), seed=seed):
        pass
    return network


def recipes(seeds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Squared error per held-out image, by model and change."""
    images = read_split("train").images
    (fast,) = read_params(("recipes.${recipe}", Recipe))
    changes = [{"epochs": epochs} for epochs in EPOCHS]
    changes += [{"learning_rate": fast.learning_rate * rate} for rate in RATES if rate != 1]
    for name in MODELS:
        (settings,) = read_params((f"models.{name}", ModelSettings))
        for change in changes:
            errors = []
            for seed in range(seeds):
                recipe = replace(fast, **change)
                network = learn(settings, recipe, images[:-HELD_OUT], seed)
                held_out = images[-HELD_OUT:]
                pixels = decode(network, encode(network, held_out).mean)
                error = np.square(pixels - held_out / np.float32(255)).sum((1, 2, 3)).mean()
                errors.append(float(error))
            yield f"{name}, {_words(change)}", spread(errors)


def embeddings(seeds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """What a map of held-out images keeps of their latents, by change of a setting."""
    images = read_split("train").images
    fast, settings, embed = read_params(
        ("recipes.${recipe}", Recipe),
        (f"models.{MODELS[0]}", ModelSettings),
        ("embed", maps.EmbedSettings),
    )
    network = learn(settings, fast, images[:-HELD_OUT], 0)
    points = encode(network, images[-HELD_OUT:]).mean
    pairs = PerplexityBasedNN(points, perplexity=embed.perplexity, method="exact").P.tocoo()
    for change in MAPS:
        scores = []
        for seed in range(seeds):
            placed, _ = maps.tsne(points, points[:10], replace(embed, **change), seed)
            scores.append(tsne.quality(points, pairs, placed))
        means = {key: float(np.mean([score[key] for score in scores])) for key in scores[0]}
        yield _words(change) or "as in params.yaml", means


def likelihoods(seeds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Negative ELBO of held-out images in nats, by change of the recipe of published.py."""
    grey = read_split("train", grey=True).images[:-HELD_OUT]
    held_out = published.draw("train", slice(-HELD_OUT, None))
    for change in BURDA:
        recipe = replace(published.RECIPE, **{"epochs": BURDA_EPOCHS, **change})
        found = []
        for seed in range(seeds):
            network = published.learn(published.ROWS["burda"].settings, recipe, grey, seed)
            found.append(published.measure(network, held_out, 10, seed)["negative_elbo"])
        yield _words({**change, "epochs": recipe.epochs}), spread(found)


def _words(change: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in change.items())


CHOICES = {"recipe": recipes, "tsne": embeddings, "published": likelihoods}


def main() -> None:
    process.tune_for_training()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=CHOICES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    table = store.read_json(options.output) if options.output.exists() else {}
    rows: dict[str, dict[str, float]] = {}
    for name, numbers in CHOICES[options.what](options.seeds):
        rows[name] = numbers
        print(f"{name}: {numbers}", flush=True)
        store.write_json(options.output, table | {options.what: rows})


if __name__ == "__main__":
    run(main)
