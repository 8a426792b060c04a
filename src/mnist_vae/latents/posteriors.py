"""What an encoder says of images, and draws from it; numpy alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Posterior(NamedTuple):
    """A diagonal Gaussian for each image, or the code alone where ``logvar`` is None."""

    mean: np.ndarray
    """[N, D]"""
    logvar: np.ndarray | None
    """[N, D]"""


def sample(mean: np.ndarray, logvar: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """One latent of each posterior [N, D]; the code itself where there is no log-variance."""
    if logvar is None:
        return mean
    noise = rng.standard_normal(mean.shape, dtype=np.float32)
    return mean + np.exp(0.5 * logvar) * noise
