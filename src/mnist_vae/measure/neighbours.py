"""Samples among real images: do they lie where these lie, all over, and are they no copies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from mnist_vae.measure import checks

ROWS = 500  # rows of distances held at once: 240 MB of them for 60,000 points


class Coverage(NamedTuple):
    """How two sets of points lie in each other, in percent."""

    precision: float
    """Of the samples, those that lie among real points."""
    recall: float
    """Of the real points, those that lie among samples."""


def coverage(real: np.ndarray, samples: np.ndarray, k: int = 3) -> Coverage:
    """Improved precision and recall (Kynkäänniemi et al. 2019) of features [N, F] and [M, F].

    A point lies among others where it is within the distance of one of them to its own k-th
    nearest. Precision falls with samples that look like nothing real, recall with real images that
    no sample looks like. Both grow with the number of points: compare equal counts. As a reference,
    real points against other real ones score below 100 in both. Raises ValueError for a k that is
    not from 1 to below the number of points.
    """
    a, b = checks.matrix("real", real), checks.matrix("samples", samples)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"real is {a.shape} and samples {b.shape}, must be as wide")
    if not 1 <= k < min(len(a), len(b)):
        raise ValueError(f"k is {k}, must be from 1 to below the number of points")
    reach_a, reach_b = _reach(a, k), _reach(b, k)
    among_a, among_b = np.zeros(len(b), bool), np.zeros(len(a), bool)
    for rows, distances in _squared_distances(a, b):
        among_a |= (distances <= reach_a[rows, None]).any(0)
        among_b[rows] = (distances <= reach_b).any(1)
    return Coverage(100 * float(among_a.mean()), 100 * float(among_b.mean()))


class Nearest(NamedTuple):
    """The nearest of other images to each image."""

    indices: np.ndarray
    """int64 [N]"""
    distances: np.ndarray
    """float64 [N], the roots of the squared errors summed over pixels."""


def nearest(images: np.ndarray, training: np.ndarray) -> Nearest:
    """Find the nearest of ``training`` [M, ...] to each of ``images`` [N, ...].

    Both are uint8 or in [0, 1]. Exact, but for the rounding of float32 between images that are
    equally near. Images of half the height and width are nearer to each other, in the right unit,
    than the whole ones: all that are so far away already need no look at their pixels.
    """
    x, y = (_pixels(name, a) for name, a in (("images", images), ("training", training)))
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"images are {x.shape[1:]}, training is {y.shape[1:]}: must be the same")
    small_x, small_y = _halved(x), _halved(y)
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    rounding = 1e-5 * max(float(np.einsum("nf,nf->n", a, a).max()) for a in (x, y))
    indices = np.empty(len(x), int)
    for rows, bounds in _squared_distances(small_x, small_y):
        first = bounds.argmin(1)
        reach = ((x[rows] - y[first]) ** 2).sum(1) + rounding
        for n, image in enumerate(x[rows]):
            candidates = np.flatnonzero(bounds[n] <= reach[n])
            errors = ((y[candidates] - image) ** 2).sum(1)
            indices[rows.start + n] = candidates[errors.argmin()]
    away = x.astype(np.float64) - y[indices]
    return Nearest(indices, np.sqrt((away**2).sum(1)))


def too_near(samples: np.ndarray, real: np.ndarray, quantile: float = 0.01) -> float:
    """Percentage of samples nearer to a training image than nearly all unseen real images are.

    From distances that ``nearest`` finds, of samples [N] and of real images that no training saw
    [M]: those below the ``quantile`` of the latter, which are as many of the real ones by
    construction. Much more says that a model repeats what it was trained on, or that it draws more
    smoothly: plain shapes lie near many others. Reconstructions of the same unseen images, as
    ``real``, are the reference without that difference.
    """
    ours, theirs = checks.vector("samples", samples), checks.vector("real", real)
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}, must be above 0 and below 1")
    return 100 * float((ours < np.quantile(theirs, quantile)).mean())


def _pixels(name: str, images: np.ndarray) -> np.ndarray:
    if images.ndim < 2 or not images.size:
        raise ValueError(f"{name} is {images.shape}, must be [N, ...] and not empty")
    if not np.isfinite(images).all():
        raise ValueError(f"{name} has a NaN or an infinity")
    scale = 255 if images.dtype == np.uint8 else 1
    return np.asarray(images, np.float32) / np.float32(scale)


def _halved(images: np.ndarray) -> np.ndarray:
    """Images [N, ..., H, W] of half the size as [N, F], or whole where that is no whole number.

    Of squares of 2 x 2 pixels the sums, halved: their squared differences are at most those of the
    pixels together, as the squared mean of numbers is at most the mean of their squares.
    """
    if images.ndim > 2 and not (images.shape[-1] % 2 or images.shape[-2] % 2):
        pairs = images[..., ::2, :] + images[..., 1::2, :]
        images = (pairs[..., ::2] + pairs[..., 1::2]) / 2
    return images.reshape(len(images), -1)


def _reach(points: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each point to its k-th nearest other, [N]."""
    reach = np.empty(len(points))
    for rows, distances in _squared_distances(points, points):
        own = np.arange(len(distances))
        distances[own, rows.start + own] = math.inf
        reach[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return reach


def _squared_distances(
    points: np.ndarray, others: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """A few rows at a time, [R, M], as matrix products: many times faster than differences.

    Relative to the common mean, for sums of squares lose what is small beside a large mean.
    """
    center = others.mean(0)
    a, b = points - center, others - center
    lengths = np.einsum("nf,nf->n", b, b)
    for start in range(0, len(a), ROWS):
        rows = slice(start, start + ROWS)
        block = a[rows]
        distances = (-2 * block) @ b.T
        distances += np.einsum("nf,nf->n", block, block)[:, None]
        distances += lengths
        yield rows, np.maximum(distances, 0, out=distances)
