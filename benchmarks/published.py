"""Published likelihoods of small VAEs on MNIST, measured again with this project's own code.

Usage: python benchmarks/published.py [--rows ROW ...] [--seeds N] [--epochs N] [--table].
Needs data/, which `make reproduce` leaves, with grey images. Keeps every training that ended in
reports/published.json, and runs only what is missing there. --table prints what is there as it
stands in docs/published.md, which says what the rows mean.

Each model learns all training images, black and white by chance anew in each epoch. Its likelihood
is that of the 10,000 test images in one fixed draw of black and white, by importance sampling from
the encoder's posteriors, as the papers measured theirs.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
from machine import spread
from torch import Tensor
from torch.nn import functional as F

from mnist_vae import process, seeds
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.split import read_split
from mnist_vae.measure.likelihood import importance_nll
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.train import autoencode
from mnist_vae.train.recipe import Recipe

OUTPUT = ROOT / "reports" / "published.json"
RECIPE = Recipe(
    epochs=200,
    batch_size=500,
    last_batch_size=1000,
    optimizer="muon",
    learning_rate=0.01,
    schedule="triangular",
    warmup=0.1,
    initialization="he",
    precision="float32",
)
"""Of the first row; rate, batches and beta2 were chosen on held-out images: see choose.py."""
CHUNK = 500
"""Latents that are decoded at a time: few enough for a processor's cache."""
FEW, EVERY, PART = 500, 20, 200
"""Samples of every image, which images have all of them, and images at a time."""


class Row(NamedTuple):
    """A number in a paper, and the model that it is a number of."""

    published: float
    """Negative log-likelihood in nats per test image."""
    settings: ModelSettings
    samples: int
    """Latents drawn for each image to measure it."""
    epochs: int

    @property
    def recipe(self) -> Recipe:
        """How the model learns."""
        return msgspec.structs.replace(RECIPE, epochs=self.epochs)


def mlp(latent_dim: int, widths: tuple[int, ...]) -> ModelSettings:
    """A VAE of coins in nats."""
    return ModelSettings(
        kind="vae",
        latent_dim=latent_dim,
        architecture="mlp",
        likelihood="bernoulli",
        kl_weight=1.0,
        widths=widths,
    )


ROWS = {
    # Burda, Grosse & Salakhutdinov 2016, table 1: VAE, one stochastic layer, k = 1.
    "burda": Row(86.76, mlp(50, (200, 200)), 5000, 200),
    # Davidson et al. 2018, table 1: the VAE with a normal posterior, by its latent dimensions.
    "davidson2": Row(135.7, mlp(2, (256, 128)), 500, 60),
    "davidson5": Row(110.2, mlp(5, (256, 128)), 500, 60),
    "davidson10": Row(93.8, mlp(10, (256, 128)), 500, 60),
    "davidson20": Row(88.9, mlp(20, (256, 128)), 500, 60),
    "davidson40": Row(88.9, mlp(40, (256, 128)), 500, 60),
}


def learn(settings: ModelSettings, recipe: Recipe, images: np.ndarray, seed: int) -> VAE:
    """A trained model of grey images [N, 1, H, H], which chance makes black and white.

    A training that was stopped goes on after its last epoch.
    """
    network, grey = build(settings, image_size=images.shape[2]), torch.from_numpy(images)
    kept = autoencode.checkpoints_of(
        "published", settings, recipe, grey, seed, binarise=True, folder=ROOT / autoencode.FOLDER
    )
    for epoch in autoencode.train(
        network, settings, recipe, grey, seed=seed, binarise=True, checkpoints=kept
    ):
        if epoch.number % 10 == 0:
            print(f"epoch {epoch.number}: {epoch.means['loss']:.2f} nats", flush=True)
    kept.clear()
    return network


@torch.inference_mode()
def measure(network: VAE, images: np.ndarray, samples: int, seed: int) -> dict[str, float]:
    """Negative log-likelihood and negative ELBO of black and white images, in nats.

    ``images`` are uint8 [N, 1, H, H], 0 or 255. ``samples`` latents are drawn from the posterior of
    every twentieth image, and no more than FEW for the others. What more than FEW are worth, which
    is the same for all images but for chance, is taken from every twentieth: the ``correction``,
    with its standard error. ``effective`` is how many of their samples count.
    """
    generator = torch.Generator().manual_seed(seeds.number(seed, "published"))
    few = min(FEW, samples)
    pixels = torch.from_numpy(images).float() / 255
    mean, logvar = network.encode(pixels)
    assert logvar is not None
    parts, elbo = [], 0.0
    for x, mu, log in zip(pixels.split(PART), mean.split(PART), logvar.split(PART), strict=True):
        counts = [few if i % EVERY else samples for i in range(len(x))]
        weights = [
            log_weights(network, *each, generator) for each in zip(x, mu, log, counts, strict=True)
        ]
        short = torch.stack([weight[:few] for weight in weights]).numpy()
        every = importance_nll(torch.stack(weights[::EVERY]).numpy())
        correction = every.mean - importance_nll(short[::EVERY]).mean
        parts.append((len(x), importance_nll(short).mean, correction, every.effective))
        elbo -= short.mean() * len(x)
    sizes, means, corrections, effective = np.array(parts).T
    return {
        "nll": float(np.average(means + corrections, weights=sizes)),
        "correction": float(np.average(corrections, weights=sizes)),
        "correction_standard_error": float(corrections.std() / np.sqrt(len(corrections))),
        "negative_elbo": float(elbo / len(images)),
        "effective": float(np.median(effective)),
    }


def log_weights(
    network: VAE, x: Tensor, mean: Tensor, logvar: Tensor, samples: int, generator: torch.Generator
) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) of latents drawn for an image [1, H, H], float64 [K].

    Sums over pixels are float32 as the network is, and all else float64.
    """
    noise = torch.randn(samples, len(mean), generator=generator)
    z = mean + noise * (0.5 * logvar).exp()
    pixels = x.flatten()
    likely = []
    for chunk in z.split(CHUNK):
        logits = network.logits(chunk).flatten(1)
        likely.append(logits @ pixels - F.softplus(logits).sum(1))
    # Powers of 2 π are in both p(z) and q(z|x).
    prior = -0.5 * z.double().square().sum(1)
    posterior = -0.5 * (noise.double().square().sum(1) + logvar.double().sum())
    return torch.cat(likely).double() + prior - posterior


def one(row: Row, seed: int) -> dict[str, float]:
    """Train a row's model from a seed on all training images, and measure it on the test images."""
    start = time.perf_counter()
    network = learn(row.settings, row.recipe, read_split("train", grey=True).images, seed)
    trained = time.perf_counter()
    numbers = measure(network, draw("test"), row.samples, seed)
    return {
        **numbers,
        "training_seconds": trained - start,
        "measuring_seconds": time.perf_counter() - trained,
    }


def draw(split: Any, part: slice = slice(None)) -> np.ndarray:
    """Images of a split in the one draw of black and white that everything is measured on."""
    images = read_split(split, grey=True).images
    chance = seeds.stream(0, f"binarise {split}").integers(255, size=images.shape, dtype=np.uint8)
    return np.where(chance < images, 255, 0).astype(np.uint8)[part]


def facts(row: Row) -> dict[str, Any]:
    """What a row was measured of, as JSON has it; numbers of anything else are no part of it."""
    about = {
        "published": row.published,
        "settings": row.settings,
        "recipe": row.recipe,
        "samples": row.samples,
    }
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(about))
    return found


def lines(table: dict[str, Any]) -> list[str]:
    """Rows of docs/published.md: dimensions, published, ours and how far apart, in nats."""
    return [
        f"| {row['settings']['latent_dim']} | {row['published']} | {row['nll']['mean']:.2f} ± "
        f"{row['nll']['sd']:.2f} ({row['nll']['runs']}) | {row['difference']:+.2f} |"
        for row in table.values()
    ]


def main() -> None:
    process.tune_for_training()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=ROWS, metavar="ROW")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of all these rows, instead of their own")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what was")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    if options.table:
        print(*lines(store.read_json(options.output)), sep="\n")
        return
    if read_split("test", grey=True).binarise == "threshold":
        raise InputError("data: found images of black and white, needs grey ones")
    table = store.read_json(options.output) if options.output.exists() else {}
    for name in options.rows:
        row, kept = ROWS[name], table.get(name, {})
        row = row._replace(epochs=options.epochs or row.epochs)
        about = facts(row)
        runs = kept["seeds"] if {key: kept.get(key) for key in about} == about else {}
        for seed in map(str, range(options.seeds)):
            if seed in runs:
                continue
            runs[seed] = one(row, int(seed))
            nll = spread([each["nll"] for each in runs.values()])
            difference = nll["mean"] - row.published
            table[name] = {**about, "nll": nll, "difference": difference, "seeds": runs}
            store.write_json(options.output, table)
            print(f"{name}, seed {seed}: {runs[seed]}", flush=True)


if __name__ == "__main__":
    run(main)
