"""Two-dimensional maps of latents: t-SNE and PCA."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.settings import Settings

THREADS = 2  # not a setting: sums over more threads have other last digits, and so other maps


class EmbedSettings(Settings, frozen=True, kw_only=True):
    """How to fit the map: ``embed`` in params.yaml."""

    perplexity: Annotated[float, Meta(ge=2, le=1000)]
    """Effective number of neighbours of each point."""
    early_iterations: Annotated[int, Meta(ge=0, le=10_000)]
    """Iterations with exaggerated attraction, which form the clusters: half 12, half 3 times."""
    iterations: Annotated[int, Meta(ge=0, le=10_000)]
    """Iterations after that."""
    theta: Annotated[float, Meta(ge=0, le=1)]
    """Accuracy of the Barnes-Hut approximation: 0 is exact, larger is faster."""
    momentum: Annotated[float, Meta(ge=0, le=0.999)]
    """Part of a point's last move that it keeps, in the iterations after the early ones."""


def project(
    points: np.ndarray, others: np.ndarray | None, settings: EmbedSettings, seed: int
) -> tuple[dict[str, np.ndarray], str]:
    """Maps of points [N, D] with others [M, D] laid onto them, if any, and the method's name.

    ``map`` and ``class_map`` are t-SNE's, or the latent plane itself where D is 2; ``pca`` the two
    principal axes, ``explained_variance`` their parts of the variance. All float32. A single latent
    dimension is drawn against a constant. Raises InputError where all points are the same.
    """
    if not np.ptp(points, axis=0).any():
        raise InputError(
            "all images have the same latent, so there is no map of them: they are all alike, or "
            "the encoder no longer looks at them; then train it with a smaller kl_weight or "
            "learning rate"
        )
    laid = others
    if points.shape[1] == 1:
        points = np.pad(points, ((0, 0), (0, 1)))
        laid = None if others is None else np.pad(others, ((0, 0), (0, 1)))
    axes = pca(points)
    if points.shape[1] == 2:
        fitted, method = points, "latent plane"
    else:
        (fitted, laid), method = tsne(points, others, settings, seed), "t-SNE"
    maps = {
        "map": fitted,
        "pca": axes.project(points),
        "explained_variance": axes.explained,
    }
    if laid is not None:
        maps["class_map"] = laid
    return {name: np.asarray(array, np.float32) for name, array in maps.items()}, method


class Pca(NamedTuple):
    """A projection onto the two directions of largest variance."""

    center: np.ndarray
    """[D]"""
    axes: np.ndarray
    """[2, D], orthonormal, the largest component of each positive."""
    explained: np.ndarray
    """[2], parts of the total variance."""

    def project(self, points: np.ndarray) -> np.ndarray:
        """Coordinates [N, 2] of points [N, D]."""
        return (points - self.center) @ self.axes.T


def pca(points: np.ndarray) -> Pca:
    """The two principal axes of points [N, D], D at least 2."""
    center = points.mean(0, dtype=np.float64)
    variance, axes = np.linalg.eigh(np.cov(points, rowvar=False))
    axes = axes[:, ::-1].T[:2]
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1))
    return Pca(center, axes, variance[::-1][:2] / variance.sum())


def tsne(
    points: np.ndarray, others: np.ndarray | None, settings: EmbedSettings, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Fit a t-SNE map [N, 2] to points [N, D] and lay others [M, D] onto it, [M, 2], if any.

    openTSNE (Poličar et al. 2024) with exact neighbours, starting from PCA so that the large-scale
    layout means something (Kobak & Berens 2019). The exaggeration falls in two steps, for one step
    leaves more points among strangers. The others do not move the map.
    """
    # Here, because it takes seconds and a 2-d model needs none.
    from openTSNE import TSNEEmbedding, affinity, initialization
    from scipy.spatial import KDTree

    perplexity = min(settings.perplexity, (len(points) - 1) / 3)
    pairs = affinity.PerplexityBasedNN(points, perplexity, method="exact", n_jobs=THREADS)
    options = {"negative_gradient_method": "bh", "theta": settings.theta, "n_jobs": THREADS}
    fitted = np.asarray(initialization.pca(points, random_state=seeds.number(seed, "map") % 2**32))
    early = settings.early_iterations // 2
    for iterations, exaggeration, momentum in (
        (settings.early_iterations - early, 12, 0.8),
        (early, 3, 0.8),
        (settings.iterations, 1, settings.momentum),
    ):
        # Neighbours on the map lie side by side in memory: a quarter less time for an iteration.
        order = KDTree(fitted).indices
        sorted_pairs = affinity.PrecomputedAffinities(pairs.P[order][:, order])
        part = TSNEEmbedding(fitted[order], sorted_pairs, **options)
        part.optimize(iterations, exaggeration=exaggeration, momentum=momentum, inplace=True)
        fitted[order] = part
    if others is None:
        return fitted, None
    whole = TSNEEmbedding(fitted, pairs, **options)
    return fitted, np.asarray(whole.transform(others, n_iter=100))
