"""Files of small untrained models, with priors beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnist_vae.files.priors import PRIORS, PriorsFacts
from mnist_vae.latents import priors
from mnist_vae.nets import weights
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.nets.weights import ModelFacts
from support.networks import fresh

CLASSES = ("cat", "7", "dog")


def write_model(
    path: Path,
    *,
    size: int = 28,
    channels: int = 1,
    classes: tuple[str, ...] = CLASSES,
    **kind: Any,
) -> VAE:
    """Write a model of three dimensions, a VAE unless ``kind`` says otherwise."""
    kind = {"kind": "vae", "kl_weight": 0.1, **kind}
    settings = ModelSettings(latent_dim=3, **kind)
    network = fresh(build(settings, image_size=size, channels=channels)).eval()
    facts = ModelFacts(
        model="small",
        settings=settings,
        seed=0,
        epochs=1,
        dataset="pets",
        image_size=size,
        channels=channels,
        classes=classes,
        variance=0.02,
        device="CPU, float32",
        torch="2.15.0",
    )
    weights.save(path, network, facts)
    return network


def write_priors(path: Path, network: VAE) -> None:
    """Write priors of a model of three classes, each of which lies in a place of its own."""
    labels = np.arange(300) % 3
    latents = 10 * np.eye(3)[labels] + np.random.default_rng(0).standard_normal((300, 3))
    fitted = {
        "gaussian": priors.gaussian(latents),
        "mixture": priors.mixture(latents, 2, seed=0),
        "classes": priors.by_class(latents, labels, 2, seed=0),
    }
    facts = PriorsFacts(model="small", weights=weights.digest(network), seed=0, components=2)
    PRIORS.write(path, priors.to_arrays(fitted), facts)
