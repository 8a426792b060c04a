"""The project's t-SNE and scikit-learn's, on the same latents: seconds and quality."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from openTSNE.affinity import PerplexityBasedNN
from sklearn.manifold import TSNE, trustworthiness
from sklearn.neighbors import NearestNeighbors

from mnist_vae.latents import maps

NEIGHBOURS = 10


def compare(points: np.ndarray, settings: maps.EmbedSettings) -> dict[str, object]:
    """Both maps of points [N, D]; ours lays ten more points onto it."""
    start = time.perf_counter()
    ours, _ = maps.tsne(points, points[:10], settings, 0)
    middle = time.perf_counter()
    theirs = TSNE(perplexity=settings.perplexity, init="pca", random_state=0).fit_transform(points)
    end = time.perf_counter()
    pairs = PerplexityBasedNN(points, perplexity=settings.perplexity, method="exact").P.tocoo()
    return {
        "ours": {"seconds": middle - start, **quality(points, pairs, ours)},
        "sklearn": {"seconds": end - middle, **quality(points, pairs, theirs)},
        "times_faster": (end - middle) / (middle - start),
    }


def quality(points: np.ndarray, pairs: Any, placed: np.ndarray) -> dict[str, float]:
    """How well a map [N, 2] shows points [N, D], whose affinities ``pairs`` is, a COO matrix.

    The exact KL divergence that t-SNE minimizes, the part of each point's ten neighbours that it
    keeps, and trustworthiness (Venna & Kaski 2001).
    """
    wide = placed.astype(np.float64)
    total = sum(
        (1 / (1 + np.square(part[:, None] - wide).sum(2))).sum()
        for part in np.array_split(wide, max(1, len(wide) // 500))
    ) - len(wide)
    near = np.square(wide[pairs.row] - wide[pairs.col]).sum(1)
    p = pairs.data / pairs.data.sum()
    both = zip(_neighbours(points), _neighbours(placed), strict=True)
    return {
        "exact_kl": float((p * np.log(p * total * (1 + near))).sum()),
        "neighbours_kept": float(np.mean([np.isin(a, b).mean() for a, b in both])),
        "trustworthiness": float(trustworthiness(points, placed, n_neighbors=NEIGHBOURS)),
    }


def _neighbours(points: np.ndarray) -> np.ndarray:
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(points)
    return nearest.kneighbors(return_distance=False)
