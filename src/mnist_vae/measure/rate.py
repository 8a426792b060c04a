"""What latents cost: the KL of posteriors from the prior, and which dimensions are in use."""

from __future__ import annotations

import numpy as np

from mnist_vae.measure.checks import matrix

ACTIVE = 0.01
"""Variance of its posterior mean above which a latent dimension is active."""


def rate(mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each dimension in nats, averaged over images, [D].

    From posteriors [N, D] (Kingma & Welling 2014, appendix B). Its sum is the rate per image: a
    bound from above on what the latent tells about the image (Alemi et al. 2018). In float64;
    ``train.objective`` has the same for tensors, image by image.
    """
    m, v = matrix("mean", mean), matrix("logvar", logvar)
    if m.shape != v.shape:
        raise ValueError(f"mean is {m.shape} and logvar {v.shape}, must be the same")
    # expm1: near the prior, exp(v) - 1 would lose the digits that are left of v.
    return np.asarray(0.5 * (m**2 + np.expm1(v) - v).mean(0))


def active(mean: np.ndarray) -> np.ndarray:
    """Which latent dimensions are in use, bool [D]: those whose posterior mean [N, D] varies.

    A unit is active when the variance of its mean over the images is above 0.01 (Burda, Grosse &
    Salakhutdinov 2016, who find active and inactive units far apart, so that the threshold matters
    little). A collapsed dimension repeats the prior for every image and counts for nothing.
    """
    return np.asarray(matrix("mean", mean).var(0) > ACTIVE)
