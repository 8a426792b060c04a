"""What recipes and settings were chosen by, shown on images held out of the training ones.

Usage: python benchmarks/choose.py {recipe,recentre,priors,tsne,published}... [--seeds N] [--again].
Models learn all training images but the last 10,000, and are measured on these; the test images
play no part. Keeps what it measured in reports/choices.json, and measures what is missing there or
is of fewer seeds; --again measures all of it anew, as after a change of the default recipe. Several
at once share trainings.

recipe: changes of the default recipe, by the squared error of decoded posterior means. recentre:
what recentring leaves of the KL and of the Fréchet distance of samples of N(0, I), and the largest
change of a decoded pixel, from 0 to 1. priors: numbers of Gaussians and passes, by the Fréchet
distance of samples of the mixture of all latents and of that class by class. It is taken in the
features of data/classifier.safetensors, which has learned the held-out images too. tsne: other
settings of the map, by what it keeps of the held-out images' latents; the maps of the report are of
test images' latents, which no setting was chosen on. published: other recipes for the first row of
published.py, by the negative ELBO.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import copy
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import numpy as np
import published
import torch
import tsne
from machine import spread
from msgspec.structs import replace
from openTSNE.affinity import PerplexityBasedNN

from mnist_vae import process
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.split import read_split
from mnist_vae.latents import maps, priors
from mnist_vae.latents.codes import decode, encode
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.measure.rate import rate
from mnist_vae.measure.samples import frechet_distance
from mnist_vae.nets import classifier_weights
from mnist_vae.nets.classifier import classify
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.seeds import stream
from mnist_vae.settings import read_params
from mnist_vae.train import autoencode
from mnist_vae.train.recentre import recentre
from mnist_vae.train.recipe import Recipe

Numbers: TypeAlias = dict[str, Any]
"""Of a row: a spread over seeds, or several by name."""
Rows: TypeAlias = Iterator[tuple[str, Callable[[], Numbers]]]
"""Names of rows, and what measures each."""

HELD_OUT = 10_000
OUTPUT = ROOT / "reports" / "choices.json"
MODELS = ("vae16", "vae2")
EPOCHS = (3, 4, 6)
RATES = (0.5, 1.0, 2.0)
"""Factors on the learning rate."""
CHANGES: tuple[dict[str, Any], ...] = (
    {"optimizer": "adam", "learning_rate": 0.006},
    {"initialization": "he"},
    {"last_batch_size": 128},
    {"beta2": 0.999},
    {"warmup": 0.3},
)
"""Other changes of the recipe, tried on the first model."""
MIXTURES = ((5, 5), (10, 5), (20, 5), (40, 5), (20, 1), (20, 20))
"""Gaussians of a mixture, and passes in which it is fitted."""
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
    {"optimizer": "muon", "learning_rate": 0.003},
    {"optimizer": "muon", "learning_rate": 0.006},
    {"optimizer": "muon", "learning_rate": 0.01},
    {"optimizer": "muon", "learning_rate": 0.015},
    {"optimizer": "muon", "learning_rate": 0.006, "batch_size": 250, "last_batch_size": 500},
    {"optimizer": "muon", "learning_rate": 0.006, "batch_size": 1000},
    {"optimizer": "adam", "learning_rate": 0.004, "batch_size": 100, "last_batch_size": 400},
    {"optimizer": "adam", "learning_rate": 0.008, "batch_size": 100, "last_batch_size": 400},
)
BURDA_EPOCHS = 40
"""Epochs in which these are compared."""


def learn(settings: ModelSettings, recipe: Recipe, images: np.ndarray, seed: int) -> VAE:
    """A model trained on grey images [N, C, H, H]."""
    network = build(settings, image_size=images.shape[2], channels=images.shape[1])
    for _ in autoencode.train(network, settings, recipe, torch.from_numpy(images), seed=seed):
        pass
    return network


@functools.cache
def plain(name: str, seed: int) -> VAE:
    """A model of params.yaml by the default recipe, but not recentred; to be left as it is."""
    recipe, settings = read_params(("recipes.${recipe}", Recipe), (f"models.{name}", ModelSettings))
    images = read_split("train").images[:-HELD_OUT]
    return learn(settings, replace(recipe, recentre=False), images, seed)


def recentred(name: str, seed: int) -> VAE:
    """The same with its latents recentred."""
    network = copy.deepcopy(plain(name, seed))
    recentre(network, torch.from_numpy(read_split("train").images[:-HELD_OUT]))
    return network


def recipes(seeds: int) -> Rows:
    """Squared error per held-out image, by model and change."""
    images = read_split("train").images
    (fast,) = read_params(("recipes.${recipe}", Recipe))
    changes: list[dict[str, Any]] = [{"epochs": epochs} for epochs in EPOCHS]
    changes += [{"learning_rate": fast.learning_rate * rate} for rate in RATES if rate != 1]

    def measure(name: str, change: dict[str, Any]) -> Numbers:
        (settings,) = read_params((f"models.{name}", ModelSettings))
        errors = []
        for seed in range(seeds):
            network = learn(settings, replace(fast, **change), images[:-HELD_OUT], seed)
            held_out = images[-HELD_OUT:]
            pixels = decode(network, encode(network, held_out).mean)
            error = np.square(pixels - held_out / np.float32(255)).sum((1, 2, 3)).mean()
            errors.append(float(error))
        return spread(errors)

    for name in MODELS:
        for change in (*changes, *(CHANGES if name == MODELS[0] else ())):
            yield f"{name}, {_words(change)}", functools.partial(measure, name, change)


def recentrings(seeds: int) -> Rows:
    """KL in nats and Fréchet distance of samples of N(0, I), before and after, by model."""
    held_out = read_split("train").images[-HELD_OUT:]
    distance = _distance_from(held_out)

    def measure(name: str) -> Numbers:
        found: dict[str, list[float]] = {}
        for seed in range(seeds):
            decoded = []
            for when, made in (("before", plain), ("after", recentred)):
                network = made(name, seed)
                mean, logvar = encode(network, held_out)
                assert logvar is not None
                shape = len(held_out), network.latent_dim
                noise = stream(seed, "samples of standard").standard_normal(shape)
                decoded.append(decode(network, mean))
                found.setdefault(f"kl_{when}", []).append(float(rate(mean, logvar).sum()))
                found.setdefault(f"frechet_{when}", []).append(distance(decode(network, noise)))
            change = float(np.abs(decoded[1] - decoded[0]).max())
            found.setdefault("largest_pixel_change", []).append(change)
        return {key: spread(values) for key, values in found.items()}

    for name in MODELS:
        yield name, functools.partial(measure, name)


def mixtures(seeds: int) -> Rows:
    """Fréchet distance of samples of fitted priors, by Gaussians and passes.

    With the values of all seeds, for rows of one seed share a network.
    """
    images, labels = read_split("train").images, read_split("train").labels
    if labels is None:
        raise InputError("data: found images without labels, needs MNIST's")
    distance = _distance_from(images[-HELD_OUT:])
    learned = labels[:-HELD_OUT]

    @functools.cache
    def network_and_latents(seed: int) -> tuple[VAE, Posterior]:
        network = recentred(MODELS[0], seed)
        return network, encode(network, images[:-HELD_OUT])

    def measure(components: int, passes: int) -> Numbers:
        found: dict[str, list[float]] = {"mixture": [], "classes": []}
        settings = priors.PriorSettings(components=components)
        for seed in range(seeds):
            network, latents = network_and_latents(seed)
            with mock.patch.object(priors, "ITERATIONS", passes):
                fitted = priors.fit(latents, learned, settings, seed=seed)
            for name, values in found.items():
                rng = stream(seed, f"samples of {name}")
                drawn = priors.draw(fitted[name], HELD_OUT, rng).latents
                values.append(distance(decode(network, drawn)))
        return {name: spread(values) | {"values": values} for name, values in found.items()}

    for components, passes in MIXTURES:
        change = {"components": components, "passes": passes}
        yield _words(change), functools.partial(measure, components, passes)


def embeddings(seeds: int) -> Rows:
    """What a map of held-out images keeps of their latents, by change of a setting."""
    images = read_split("train").images
    (embed,) = read_params(("embed", maps.EmbedSettings))

    @functools.cache
    def points_and_pairs() -> tuple[np.ndarray, Any]:
        points = encode(recentred(MODELS[0], 0), images[-HELD_OUT:]).mean
        near = PerplexityBasedNN(points, perplexity=embed.perplexity, method="exact")
        return points, near.P.tocoo()

    def measure(change: dict[str, float]) -> Numbers:
        points, pairs = points_and_pairs()
        scores = []
        for seed in range(seeds):
            placed, _ = maps.tsne(points, points[:10], replace(embed, **change), seed)
            scores.append(tsne.quality(points, pairs, placed))
        return {key: spread([score[key] for score in scores]) for key in scores[0]}

    for change in MAPS:
        yield _words(change) or "as in params.yaml", functools.partial(measure, change)


def likelihoods(seeds: int) -> Rows:
    """Negative ELBO of held-out images in nats, by change of the recipe of published.py."""
    grey = read_split("train", grey=True).images[:-HELD_OUT]
    held_out = published.draw("train", slice(-HELD_OUT, None))

    def measure(recipe: Recipe) -> Numbers:
        found = []
        for seed in range(seeds):
            network = published.learn(published.ROWS["burda"].settings, recipe, grey, seed)
            found.append(published.measure(network, held_out, 10, seed)["negative_elbo"])
        return spread(found)

    for change in BURDA:
        recipe = replace(published.RECIPE, **{"epochs": BURDA_EPOCHS, **change})
        yield _words({**change, "epochs": recipe.epochs}), functools.partial(measure, recipe)


def _distance_from(images: np.ndarray) -> Callable[[np.ndarray], float]:
    """The Fréchet distance of others [M, C, H, W] from images uint8 [N, C, H, W]."""
    classifier, _ = classifier_weights.load(Path("data/classifier.safetensors"))
    if classifier is None:
        raise InputError("data: found images without labels, needs MNIST's")
    real = classify(classifier, images).features
    return lambda others: frechet_distance(real, classify(classifier, others).features)


def _words(change: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value if isinstance(value, str) else format(value, 'g')}"
        for key, value in change.items()
    )


def _runs(row: Numbers) -> int:
    """How many seeds a row is of, or 0 where it does not say."""
    if "runs" in row:
        return int(row["runs"])
    return min((_runs(part) if isinstance(part, dict) else 0 for part in row.values()), default=0)


CHOICES: dict[str, Callable[[int], Rows]] = {
    "recipe": recipes,
    "recentre": recentrings,
    "priors": mixtures,
    "tsne": embeddings,
    "published": likelihoods,
}


def main() -> None:
    process.tune_for_training()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="+", choices=CHOICES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure what is there too")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    table = store.read_json(options.output) if options.output.exists() else {}
    for what in options.what:
        measures = dict(CHOICES[what](options.seeds))
        before = {} if options.again else table.get(what, {})
        rows = {name: row for name, row in before.items() if _runs(row) >= options.seeds}
        for name, measure in measures.items():
            if name in rows:
                continue
            rows[name] = measure()
            print(f"{name}: {rows[name]}", flush=True)
            table[what] = {each: rows[each] for each in measures if each in rows}
            store.write_json(options.output, table)


if __name__ == "__main__":
    run(main)
