"""What a trained model is worth on the test set, as one nested mapping of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_vae import latent, metrics
from mnist_vae.artifacts import Arrays
from mnist_vae.model import VAE


def measure(
    vae: VAE, latents: Arrays, images: np.ndarray, curve: Arrays, seed: int
) -> dict[str, Any]:
    """Measure a model: how it trained, and how it does on test images, uint8 [N, H, W].

    ``latents`` are the posteriors of the same images, ``curve`` the columns of the loss curve.
    Squared errors are summed over pixels, KL is in nats, both means over images. An autoencoder
    has neither a KL nor a sample: those are absent.
    """
    rng = np.random.default_rng(seed)
    mean, logvar = latents["mean"], latents.get("logvar")
    pixels = images / np.float32(255)
    last = {name: float(column[-1]) for name, column in curve.items()}
    test = {"squared_error": float(metrics.squared_error(pixels, latent.decode(vae, mean)).mean())}
    if logvar is not None:
        drawn = latent.sample(mean, logvar, rng)
        errors = metrics.squared_error(pixels, latent.decode(vae, drawn))
        test["squared_error_sampled"] = float(errors.mean())
        test["kl"] = float(metrics.rate(mean, logvar).sum())
    return {
        "epochs": int(last.pop("epoch")),
        "parameters": sum(p.numel() for p in vae.parameters()),
        "train": {"loss_per_batch_of_512": 512 * last["loss"], **last},
        "test": test,
    }
