"""How long the likelihoods of the page take: ELBO and NLL of each VAE, as evaluate measures them.

Usage: python benchmarks/likelihood.py. Needs models/, data/ and reports/curves/, which
`make reproduce` leaves, and writes reports/likelihood.json: seconds by model, under all variances
that its likelihood is measured under, once each.
"""

from __future__ import annotations

from beside import ROOT, run

import time

import numpy as np
from machine import Watch

from mnist_vae.files import curves, store
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.split import read_split
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.measure.evaluate import EvaluateSettings, Trained, likelihood
from mnist_vae.nets import devices, fast, weights
from mnist_vae.nets.model import ModelSettings
from mnist_vae.settings import read_params


def seconds(name: str, images: np.ndarray, settings: EvaluateSettings) -> float:
    """Seconds of the likelihoods of a trained VAE, of as many test images as evaluate takes."""
    network, model = weights.load(ROOT / f"models/{name}.safetensors", name)
    latents, _ = LATENTS.read(ROOT / f"data/latents/{name}.safetensors", needs=["logvar"])
    curve = curves.read(ROOT / f"reports/curves/{name}.csv", variational=True, length=model.epochs)
    fast.place(network, devices.pick(), image_size=network.image_size)
    chosen = np.linspace(0, len(images) - 1, min(settings.images, len(images))).astype(int)
    pixels = images[chosen] / np.float32(255)
    start = time.perf_counter()
    likelihood(
        Trained(network, model.settings, curve),
        pixels,
        Posterior(latents["mean"][chosen], latents["logvar"][chosen]),
        variance=float(curve["squared_error"][-1]) / pixels[0].size,
        samples=settings.samples,
        seed=model.seed,
    )
    return time.perf_counter() - start


def main() -> None:
    models, settings = read_params(
        ("models", dict[str, ModelSettings]),
        ("evaluate", EvaluateSettings),
        path=ROOT / "params.yaml",
    )
    images = read_split("test", folder=ROOT / "data").images
    watch, table = Watch(), {}
    for name in (name for name, model in models.items() if model.kind == "vae"):
        with watch.measuring(name):
            taken = seconds(name, images, settings)
        table[name] = {"seconds": taken} | watch.marks(name)
        print(f"{name}: {taken:.1f} s", flush=True)
    total = sum(row["seconds"] for row in table.values())
    print(f"in all: {total:.1f} s")
    store.write_json(ROOT / "reports/likelihood.json", {"models": table, "seconds": total})


if __name__ == "__main__":
    run(main)
