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


def nearest_distances(images: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Distance from each of ``images`` to the nearest of ``training``, float64 [N].

    Both are [N, ...], uint8 or in [0, 1]; the distance is the root of the squared error summed over
    pixels. Found in float32, whose error is far below what two images differ by.
    """
    x, y = (_pixels(name, a) for name, a in (("images", images), ("training", training)))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"images have {x.shape[1]} pixels, training has {y.shape[1]}")
    nearest = [distances.argmin(1) for _, distances in _squared_distances(x, y)]
    found = y[np.concatenate(nearest)].astype(np.float64)
    return np.asarray(np.sqrt(((x - found) ** 2).sum(1)))


def too_near(samples: np.ndarray, real: np.ndarray, quantile: float = 0.01) -> float:
    """Percentage of samples nearer to a training image than nearly all unseen real images are.

    From ``nearest_distances`` of samples [N] and of real images that no training saw [M]:
    those below the ``quantile`` of the latter, which are as many of the real ones by construction.
    Much more says that a model repeats what it was trained on, or that it draws more smoothly:
    plain shapes lie near many others. Reconstructions of the same unseen images, as ``real``, are
    the reference without that difference.
    """
    ours, theirs = checks.vector("samples", samples), checks.vector("real", real)
    if not 0 < quantile < 1:
        raise ValueError(f"quantile is {quantile}, must be above 0 and below 1")
    return 100 * float((ours < np.quantile(theirs, quantile)).mean())


def _pixels(name: str, images: np.ndarray) -> np.ndarray:
    if images.ndim < 2 or not images.size:
        raise ValueError(f"{name} is {images.shape}, must be [N, ...] and not empty")
    scale = 255 if images.dtype == np.uint8 else 1
    return np.asarray(checks.matrix(name, images.reshape(len(images), -1)) / scale, np.float32)


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
