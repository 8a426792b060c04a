"""How well a latent keeps the classes apart: by neighbours, by planes, by compact clusters."""

from __future__ import annotations

import math

import numpy as np

from mnist_vae.measure import checks
from mnist_vae.measure.accuracy import accuracy
from mnist_vae.measure.distances import distance_blocks


def knn_accuracy(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    k: int = 5,
) -> float:
    """Percentage of test latents [M, D] that the vote of k training latents [N, D] labels rightly.

    Asks whether classes lie apart in the latent's own geometry, whatever their shape, as a map of
    it would show. Exact neighbours. k = 5 is the usual choice; where classes overlap, as in a 2-d
    latent, a larger k scores a little more, so compare models at the same k. Raises ValueError for
    a k that is not from 1 to N.
    """
    from sklearn.neighbors import KNeighborsClassifier

    x, x_labels, y, y_labels = checks.split(train, train_labels, test, test_labels)
    if not 1 <= k <= len(x):
        raise ValueError(f"k is {k}, must be from 1 to the {len(x)} training latents")
    return accuracy(KNeighborsClassifier(k).fit(x, x_labels).predict(y), y_labels)


def probe_accuracy(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> float:
    """Percentage of test latents [M, D] labelled rightly by a linear probe of training ones [N, D].

    Multinomial logistic regression (Alain & Bengio 2017) on latents standardized by the training
    set, so that a dimension counts by what it tells and not by its scale. Where kNN succeeds and
    the probe fails, classes lie apart but no planes part them.
    """
    from sklearn.linear_model import LogisticRegression

    x, x_labels, y, y_labels = checks.split(train, train_labels, test, test_labels)
    center, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1
    probe = LogisticRegression(max_iter=1000).fit((x - center) / scale, x_labels)
    return accuracy(probe.predict((y - center) / scale), y_labels)


def silhouette(latents: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette of latents [N, D] grouped by label [N], from -1 to 1 (Rousseeuw 1987).

    For each point (b - a) / max(a, b), with a its mean distance to its own class and b to the
    nearest other: above 0 where classes form compact clusters. Stricter than kNN, which a long
    thin cluster satisfies too. Exact: all N² distances, a few rows at a time. Raises ValueError
    for labels of a single class.
    """
    points, labels = (
        checks.matrix("latents", latents),
        checks.labels("labels", labels, len(latents)),
    )
    classes, of_class = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("labels has one class, a silhouette needs at least 2")
    members = np.eye(len(classes))[of_class]
    counts = members.sum(0)
    total = 0.0
    for rows, distances in distance_blocks(points):
        sums = distances @ members
        own = members[rows].astype(bool)
        others = counts[of_class[rows]] - 1
        within = sums[own] / np.maximum(others, 1)
        nearest = np.where(own, math.inf, sums / counts).min(1)
        larger = np.maximum(within, nearest)
        scored = (others > 0) & (larger > 0)  # a point alone or on top of all others scores 0
        total += float(((nearest - within)[scored] / larger[scored]).sum())
    return total / len(points)
