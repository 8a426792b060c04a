"""How far a map of latents keeps their neighbours: the quality of dimensionality reduction."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from mnist_vae.measure import checks
from mnist_vae.measure.distances import distance_blocks


class MapQuality(NamedTuple):
    """How far a map can be believed about who is near whom; both at most 1."""

    trustworthiness: float
    """1 when no neighbour on the map is a stranger, about 0.5 for a random map."""
    preservation: float
    """Fraction of the k nearest neighbours that are the same on the map; random: k / N."""


def map_quality(latents: np.ndarray, points: np.ndarray, k: int = 10) -> MapQuality:
    """Trustworthiness (Venna & Kaski 2001) and neighbour preservation of a map of latents.

    ``latents`` [N, D] and their places ``points`` [N, 2]; k nearest neighbours, below N / 2.
    Trustworthiness charges each neighbour on the map by how far beyond rank k it is among the
    latents, and forgives small slips; preservation counts how many of the k are truly among the
    k nearest (Lee & Verleysen 2009). What one sees as together on the map is what they test.

    Exact: all N² distances, a few rows at a time. Equally distant points share the better rank.
    Raises ValueError for another number of points, or such a k.
    """
    high, low = checks.matrix("latents", latents), checks.matrix("points", points)
    n = len(high)
    if len(low) != n:
        raise ValueError(f"{n} latents but {len(low)} points on the map, must be as many")
    if not 1 <= k < n / 2:
        raise ValueError(f"k is {k}, must be at least 1 and below half of the {n} points")
    ranks = _latent_ranks(high, _nearest(low, k))
    excess = float(np.maximum(ranks - k, 0).sum())
    trustworthiness = 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))
    return MapQuality(trustworthiness, float((ranks <= k).mean()))


def _nearest(points: np.ndarray, k: int) -> np.ndarray:
    """Indices [N, k] of the k nearest others of each point."""
    neighbours: np.ndarray = np.asarray(KDTree(points).query(points, k + 1)[1])
    itself = neighbours == np.arange(len(points))[:, None]
    # Crowded out by points in the same place: drop the last instead.
    itself[~itself.any(1), -1] = True
    return np.reshape(neighbours[~itself], (-1, k))


def _latent_ranks(latents: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """How near each of ``neighbours`` [N, k] is among the latents: 1 for the nearest, [N, k]."""
    ranks = np.empty(neighbours.shape, np.int64)
    for rows, distances in distance_blocks(latents, "sqeuclidean"):
        reach = np.take_along_axis(distances, neighbours[rows], axis=1)
        row = np.arange(len(distances))
        distances[row, rows.start + row] = math.inf  # no point is its own neighbour
        for j in range(neighbours.shape[1]):
            nearer = np.count_nonzero(distances < reach[:, j, None], axis=1)
            ranks[rows, j] = nearer + 1
    return ranks
