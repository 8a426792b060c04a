"""Where latents to decode come from: priors as mixtures of Gaussians.

The standard normal that a VAE is trained towards is one component. What is fitted afterwards on the
latents of training images follows them more closely, and gives an autoencoder a prior too (Ghosh et
al. 2020). A mixture fitted class by class also makes labelled pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.latents.posteriors import Posterior, sample
from mnist_vae.settings import Settings

TOLERANCE = 0.01
"""Gain in nats per latent below which fitting stops; smaller gains do not show in samples."""
ITERATIONS = 5
"""Passes of expectation and maximization, at most."""
K_MEANS = 5
"""Passes of k-means, which fitting starts from."""
CHUNK = 1 << 18
"""Products of two latent dimensions that are held at once: 2 MB of them."""
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

    Raises ValueError where there are none.
    """
    points, center, scale = _scaled(latents)
    covariance = points.T @ points / len(points) + RIDGE * np.eye(points.shape[1])
    factor = scale[:, None] * np.linalg.cholesky(covariance)
    return Prior(np.ones(1), center[None], factor[None])


def mixture(latents: np.ndarray, components: int, *, seed: int) -> Prior:
    """A mixture of Gaussians with full covariances, fitted to latents [N, D].

    By expectation and maximization from the clusters of k-means, on latents scaled to unit
    variance. Fewer than ``components`` where latents are too few to tell their covariances: D + 1
    for each at least. Raises ValueError where there are none.
    """
    points, center, scale = _scaled(latents)
    count = max(1, min(components, len(points) // (points.shape[1] + 1)))
    fitted = _expect_and_maximize(points, count, seeds.stream(seed, "mixture"))
    return fitted._replace(
        means=center + scale * fitted.means, factors=scale[:, None] * fitted.factors
    )


def by_class(latents: np.ndarray, labels: np.ndarray, components: int, *, seed: int) -> Prior:
    """A mixture for each class, of latents [N, D] with labels [N], together as one prior.

    Every class weighs as much as it has latents. The mixture of a class with a single one is hardly
    more than this.
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


def fit(
    posterior: Posterior, labels: np.ndarray | None, settings: PriorSettings, *, seed: int
) -> dict[str, Prior]:
    """The Gaussian, the mixture and, where there are labels [N], that of each class, by name.

    Fitted to a draw from the posterior [N, D] of each training image: its mean alone says too
    little of where a decoder was trained.
    """
    latents = sample(*posterior, seeds.stream(seed, "posterior draws"))
    fitted = {
        "gaussian": gaussian(latents),
        "mixture": mixture(latents, settings.components, seed=seed),
    }
    if labels is not None:
        fitted["classes"] = by_class(latents, labels, settings.components, seed=seed)
    return fitted


def to_arrays(fitted: Mapping[str, Prior]) -> dict[str, np.ndarray]:
    """Priors as arrays that one file holds, ``NAME.weights`` and so on."""
    return {
        f"{name}.{part}": array
        for name, prior in fitted.items()
        for part, array in prior._asdict().items()
        if array is not None
    }


def of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, Prior]:
    """The priors that ``to_arrays`` took apart, in the order of their richness."""
    return {
        name: Prior(
            arrays[f"{name}.weights"],
            arrays[f"{name}.means"],
            arrays[f"{name}.factors"],
            arrays.get(f"{name}.labels"),
        )
        for name in ("gaussian", "mixture", "classes")
        if f"{name}.weights" in arrays
    }


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


# --- Fitting --------------------------------------------------------------------------------------


def _expect_and_maximize(points: np.ndarray, count: int, rng: np.random.Generator) -> Prior:
    """A mixture of so many Gaussians that points [N, D] are likely under."""
    members = np.eye(count)[_clusters(points, count, rng)]
    fitted = _maximize(sum(members[rows].T @ products for rows, products in _products(points)))
    before = -math.inf
    for _ in range(ITERATIONS):
        form, sums, log_density = _form(fitted), np.zeros(()), 0.0
        for _, products in _products(points):
            joint = products @ form.T
            most = joint.max(1, keepdims=True)
            shares = np.exp(joint - most)
            total = shares.sum(1, keepdims=True)
            log_density += float((most + np.log(total)).sum()) / len(points)
            sums = sums + (shares / total).T @ products
        if log_density - before < TOLERANCE:
            break
        before, fitted = log_density, _maximize(sums)
    return fitted


def _clusters(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Which cluster of k-means each of points [N, D] is in; k-means++ chooses where to begin."""
    centers = points[rng.choice(len(points), 1)]
    away = np.full(len(points), math.inf)
    for _ in range(count - 1):
        away = np.minimum(away, ((points - centers[-1]) ** 2).sum(1))
        far = away / away.sum() if away.any() else None
        centers = np.append(centers, points[rng.choice(len(points), 1, p=far)], axis=0)
    for _ in range(K_MEANS):
        nearest = ((centers**2).sum(1) - 2 * points @ centers.T).argmin(1)
        members = np.eye(count)[nearest]
        sizes = members.sum(0)[:, None]
        centers = np.where(sizes > 0, members.T @ points / np.maximum(sizes, 1), centers)
    return nearest


def _products(points: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """1, z and z zᵀ of points [N, D], some rows at a time, [R, 1 + D + D²].

    All that a Gaussian needs of them: log-densities and moments are then one matrix product each,
    four times as fast as components one by one.
    """
    dim = points.shape[1]
    step = max(1, CHUNK // dim**2)
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        z = points[rows]
        squares = (z[:, :, None] * z[:, None, :]).reshape(len(z), -1)
        yield rows, np.concatenate([np.ones((len(z), 1)), z, squares], axis=1)


def _maximize(sums: np.ndarray) -> Prior:
    """The likeliest mixture where each component has these sums of products, [K, 1 + D + D²]."""
    sizes = sums[:, 0] + 1e-9  # a component may have died
    dim = math.isqrt(sums.shape[1] - 1)  # D + D² is below (D + 1)²
    means = sums[:, 1 : dim + 1] / sizes[:, None]
    squares = sums[:, dim + 1 :].reshape(-1, dim, dim) / sizes[:, None, None]
    covariances = squares - means[:, :, None] * means[:, None, :] + RIDGE * np.eye(dim)
    return Prior(sizes / sizes.sum(), means, np.linalg.cholesky(covariances))


def _form(prior: Prior) -> np.ndarray:
    """What products are multiplied by, for log of weight times density, [K, 1 + D + D²]."""
    inverse = np.linalg.inv(prior.factors)
    precision = inverse.transpose(0, 2, 1) @ inverse
    slope = np.einsum("kde,ke->kd", precision, prior.means)
    log_norms = np.log(np.diagonal(prior.factors, axis1=1, axis2=2)).sum(1)
    constant = np.log(prior.weights) - log_norms - 0.5 * (slope * prior.means).sum(1)
    constant -= 0.5 * prior.means.shape[1] * math.log(2 * math.pi)
    return np.concatenate(
        [constant[:, None], slope, -0.5 * precision.reshape(len(precision), -1)], axis=1
    )


def _scaled(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latents [N, D] with mean 0 and variance 1, and what they were centred and scaled by."""
    if not len(latents):
        raise ValueError("found no latents to fit a prior to")
    points = np.asarray(latents, np.float64)
    center, scale = points.mean(0), points.std(0)
    scale[scale == 0] = 1  # a dimension that is not in use
    return (points - center) / scale, center, scale
