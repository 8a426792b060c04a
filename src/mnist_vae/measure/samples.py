"""Samples and reconstructions as a classifier sees them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from mnist_vae.measure import checks


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """Squared Fréchet distance of two feature sets, [N, F] and [M, F], taken as Gaussian.

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2·(Σ₁Σ₂)^½), the formula of the FID (Heusel et al. 2017), and like it
    blind to what differs beyond mean and covariance. Features of another network than
    Inception's give another scale. Fewer rows give a larger distance: compare equal counts, and
    see ``frechet_floor``. Raises ValueError for fewer than two rows or unlike widths.

    With Σ = RᵀR, the trace of the root is the sum of the singular values of R₁R₂ᵀ: no matrix root,
    and as exact for singular covariances.
    """
    a, b = checks.matrix("features", features), checks.matrix("others", others)
    if a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features are {a.shape} and {b.shape}, must be as wide and have at least 2 rows"
        )
    ra, rb = _covariance_factor(a), _covariance_factor(b)
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    shared = np.linalg.svd(ra @ rb.T, compute_uv=False).sum()
    return max(0.0, float(shift + (ra**2).sum() + (rb**2).sum() - 2 * shared))


def _covariance_factor(features: np.ndarray) -> np.ndarray:
    """An upper triangular R whose RᵀR is the covariance of features [N, F]."""
    scaled = (features - features.mean(0)) / math.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(scaled, mode="r"))


class Spread(NamedTuple):
    """A number over several draws."""

    mean: float
    standard_deviation: float


def frechet_floor(
    features: np.ndarray, others: np.ndarray, rng: np.random.Generator, draws: int = 5
) -> Spread:
    """Fréchet distance of real features [N, F] from as many drawn of other real ones [M, F].

    What samples as good as real images would score: test images against N training images, drawn
    without replacement, several times. Raises ValueError for fewer others than features, or fewer
    than 2 draws.
    """
    a, b = checks.matrix("features", features), checks.matrix("others", others)
    if len(b) < len(a) or draws < 2:
        raise ValueError(
            f"found {draws} draws of {len(a)} from {len(b)} others, must be at least "
            "2 draws, each of no more than there are"
        )
    distances = [
        frechet_distance(a, b[rng.choice(len(b), len(a), replace=False)]) for _ in range(draws)
    ]
    return Spread(float(np.mean(distances)), float(np.std(distances, ddof=1)))


def confident_share(confidence: np.ndarray, threshold: float = 0.9) -> float:
    """Percentage of images that a classifier reads with a probability above ``threshold``.

    ``confidence`` [N] is the probability of the likeliest class. Hold it against that of real
    images: a classifier is less sure of shapes that are no digits, though not of all of them.
    Raises ValueError for a probability outside 0 to 1.
    """
    sure = checks.vector("confidence", confidence)
    if sure.min() < 0 or sure.max() > 1:
        raise ValueError(f"confidence is in {sure.min():g} to {sure.max():g}, must be in 0 to 1")
    return 100 * float((sure > threshold).mean())


def class_entropy(predicted: np.ndarray, classes: int) -> float:
    """Entropy in nats of the histogram of classes predicted for samples [N].

    ln 10 = 2.30 when ten come equally often, 0 when samples show a single one: mode collapse, which
    the classifier's confidence in each single sample would not show. Raises ValueError for a
    label that is not one of the ``classes``.
    """
    labels = checks.labels("predicted", predicted, np.size(predicted))
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"predicted is in {labels.min()} to {labels.max()}, not {classes} classes")
    part = np.bincount(labels, minlength=classes) / len(labels)
    return max(0.0, -float(xlogy(part, part).sum()))
