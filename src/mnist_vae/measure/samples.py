"""Samples and reconstructions as a classifier sees them."""

from __future__ import annotations

import math

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


def frechet_floor(features: np.ndarray) -> float:
    """Fréchet distance of the even from the odd rows of real features [N, F]: chance alone.

    What real images score as samples, N / 2 against N / 2; reconstructions may score less, being
    of the very images that they are compared with. Rows alternate because the first half of
    MNIST's test set is known to be cleaner than the second.
    """
    return frechet_distance(features[::2], features[1::2])


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
