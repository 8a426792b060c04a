"""Where latents to decode come from: priors as mixtures of Gaussians.

The standard normal that a VAE is trained towards is one component. What is fitted afterwards on the
latents of training images follows them more closely, and gives an autoencoder a prior too (Ghosh et
al. 2020). A mixture fitted class by class also makes labelled pictures.
"""

from __future__ import annotations

import math
import warnings
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.settings import Settings

TOLERANCE = 0.01
"""Gain in nats per latent below which fitting stops; smaller gains do not show in samples."""
ITERATIONS = 20
"""Passes of expectation and maximization, at most."""
RIDGE = 1e-6
"""Variance that is added to each dimension, in units of its own, against singular covariances."""


class PriorSettings(Settings, frozen=True, kw_only=True):
    """What is fitted: ``priors`` in params.yaml."""

    components: Annotated[int, Meta(ge=1, le=1000)]
    """Gaussians in the mixture, and in that of each class."""


class Prior(NamedTuple):
    """A mixture of K Gaussians over latents of D dimensions."""

    weights: np.ndarray
    """float64 [K], with the sum 1."""
    means: np.ndarray
    """float64 [K, D]"""
    factors: np.ndarray
    """float64 [K, D, D], lower triangular: factor · factorᵀ is a component's covariance."""
    labels: np.ndarray | None = None
    """uint8 [K], the class of each component, if the mixture was fitted class by class."""

    @property
    def classes(self) -> int:
        """Number of classes; 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1


class Drawn(NamedTuple):
    """Latents from a prior."""

    latents: np.ndarray
    """float32 [N, D]"""
    labels: np.ndarray | None
    """uint8 [N], the classes asked for, if the prior has any."""


def standard(dim: int) -> Prior:
    """The prior of training, N(0, I)."""
    return Prior(np.ones(1), np.zeros((1, dim)), np.eye(dim)[None])


def gaussian(latents: np.ndarray) -> Prior:
    """The Gaussian with the mean and the covariance of latents [N, D].

    Raises ValueError for fewer than 2 latents.
    """
    points, center, scale = _scaled(latents)
    covariance = points.T @ points / len(points) + RIDGE * np.eye(points.shape[1])
    factor = scale[:, None] * np.linalg.cholesky(covariance)
    return Prior(np.ones(1), center[None], factor[None])


def mixture(latents: np.ndarray, components: int, *, seed: int) -> Prior:
    """A mixture of Gaussians with full covariances, fitted to latents [N, D].

    scikit-learn's, started by k-means, on latents scaled to unit variance. Fewer than
    ``components`` where latents are too few to tell their covariances: D + 1 for each at least.

    Raises ValueError for fewer than 2 latents.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    points, center, scale = _scaled(latents)
    count = max(1, min(components, len(points) // (points.shape[1] + 1)))
    fitted = GaussianMixture(
        count,
        reg_covar=RIDGE,
        max_iter=ITERATIONS,
        tol=TOLERANCE,
        random_state=seeds.number(seed, "mixture") >> 32,  # it takes 32 bits
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough after ITERATIONS
        fitted.fit(points)
    return Prior(
        fitted.weights_ / fitted.weights_.sum(),
        center + scale * fitted.means_,
        scale[:, None] * np.linalg.cholesky(fitted.covariances_),
    )


def by_class(latents: np.ndarray, labels: np.ndarray, components: int, *, seed: int) -> Prior:
    """A mixture for each class, of latents [N, D] with labels [N], together as one prior.

    Every class weighs as much as it has latents. Raises ValueError for a class with fewer than 2.
    """
    present = np.unique(labels)
    parts = [mixture(latents[labels == c], components, seed=seed) for c in present]
    shares = [np.count_nonzero(labels == c) / len(labels) for c in present]
    return Prior(
        np.concatenate([share * part.weights for share, part in zip(shares, parts, strict=True)]),
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.factors for part in parts]),
        np.concatenate(
            [
                np.full(len(part.weights), c, np.uint8)
                for c, part in zip(present, parts, strict=True)
            ]
        ),
    )


def draw(prior: Prior, count: int, rng: np.random.Generator, label: int | None = None) -> Drawn:
    """Draw latents, of the class ``label`` alone if it is given.

    Raises ValueError for a class that the prior has not.
    """
    weights = prior.weights
    if label is not None:
        if prior.labels is None or label not in prior.labels:
            raise ValueError(f"label is {label}, which no component of the prior has")
        weights = np.where(prior.labels == label, weights, 0)
        weights = weights / weights.sum()
    component = rng.choice(len(weights), count, p=weights)
    noise = rng.standard_normal((count, prior.means.shape[1]))
    latents = prior.means[component]
    for k in np.unique(component):
        rows = component == k
        latents[rows] += noise[rows] @ prior.factors[k].T
    labels = None if prior.labels is None else prior.labels[component]
    return Drawn(latents.astype(np.float32), labels)


def log_density(prior: Prior, latents: np.ndarray) -> np.ndarray:
    """The log of the prior's density at latents [N, D], in nats, [N].

    Its mean over latents of images that were held out says how well a prior fits.
    """
    from scipy.linalg import solve_triangular
    from scipy.special import logsumexp

    points = np.asarray(latents, np.float64)
    each = np.empty((len(points), len(prior.weights)))
    for k, (weight, mean, factor) in enumerate(zip(*prior[:3], strict=True)):
        white = solve_triangular(factor, (points - mean).T, lower=True)
        spread = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * math.log(2 * math.pi)
        each[:, k] = np.log(weight) - 0.5 * (white**2).sum(0) - spread
    return np.asarray(logsumexp(each, axis=1))


def _scaled(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents [N, D] with mean 0 and variance 1, and what they were centred and scaled by."""
    if len(latents) < 2:
        raise ValueError(f"found {len(latents)} latents to fit a prior to, must be at least 2")
    points = np.asarray(latents, np.float64)
    center, scale = points.mean(0), points.std(0)
    scale[scale == 0] = 1  # a dimension that is not in use
    return (points - center) / scale, center, scale
