"""Labelled pictures that a model makes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta

from mnist_vae.latents.codes import decode, to_bytes
from mnist_vae.latents.priors import Prior, draw
from mnist_vae.nets.vae import VAE

Pictures: TypeAlias = Annotated[int, Meta(ge=1, le=10_000_000)]
"""How many to make of a model: an entry of ``made`` in params.yaml."""
PART = 1000
"""Pictures that are decoded at once."""


def labelled_pictures(
    network: VAE, prior: Prior, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, uint8 [count, C, H, W], from the prior of each class, and their labels, [count].

    Classes come as often as the prior weighs them. Raises ValueError for a prior without classes.
    """
    latents, labels = draw(prior, count, rng)
    if labels is None:
        raise ValueError("the prior has no classes to ask for")
    parts = np.split(latents, range(PART, count, PART))
    return np.concatenate([to_bytes(decode(network, part)) for part in parts]), labels
