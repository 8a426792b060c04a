from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics
from numpy.random import Generator

from mnist_vae.measure.separability import knn_accuracy, probe_accuracy, silhouette

Accuracy = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], float]
Clusters = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def clusters(rng: Generator) -> Clusters:
    """Five clusters far apart in four dimensions, latents [1000, 4] and labels [1000]."""
    labels = np.arange(1000) % 5
    centers = 10 * np.eye(5)[:, :4]
    return centers[labels] + rng.normal(size=(1000, 4)), labels


def of_split(accuracy: Accuracy, latents: np.ndarray, labels: np.ndarray) -> float:
    """The accuracy on the last 300 of 1000 latents, after the first 700."""
    return accuracy(latents[:700], labels[:700], latents[700:], labels[700:])


@pytest.mark.parametrize("accuracy", [knn_accuracy, probe_accuracy])
def test_clusters_are_told_apart_but_not_by_shuffled_labels(
    accuracy: Accuracy, clusters: Clusters, rng: Generator
) -> None:
    latents, labels = clusters
    assert of_split(accuracy, latents, labels) == 100
    # By chance 20% of 300, whose standard error is 2.3%.
    assert of_split(accuracy, latents, rng.permutation(labels)) == pytest.approx(20, abs=9)


def test_a_ring_is_for_neighbours_not_for_planes(rng: Generator) -> None:
    labels = np.arange(1000) % 2
    angle = rng.uniform(0, 2 * math.pi, 1000)
    latents = (labels + 0.1)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    assert of_split(knn_accuracy, latents, labels) == 100
    assert of_split(probe_accuracy, latents, labels) < 80


def test_the_probe_is_blind_to_scale(clusters: Clusters, rng: Generator) -> None:
    latents, labels = clusters[0] + 3 * rng.normal(size=(1000, 4)), clusters[1]
    plain = of_split(probe_accuracy, latents, labels)
    scaled = of_split(probe_accuracy, latents * [1e-4, 1, 1e3, 1] + [0, 50, 0, 0], labels)
    assert scaled == pytest.approx(plain, abs=0.4)
    assert plain < 100


def test_a_collapsed_latent_tells_nothing() -> None:
    latents, labels = np.zeros((100, 2)), np.arange(100) % 2
    assert probe_accuracy(latents, labels, latents, labels) == 50
    assert silhouette(latents, labels) == 0


@pytest.mark.parametrize(("k", "percent"), [(1, 0), (3, 100)])
def test_knn_votes_among_k(k: int, percent: float) -> None:
    # One wrong neighbour at no distance, two right ones a little away.
    train, labels = np.array([[0.0], [1.0], [1.1], [9.0]]), np.array([3, 4, 4, 3])
    assert knn_accuracy(train, labels, np.zeros((1, 1)), np.array([4]), k=k) == percent


def test_five_neighbours_vote_unless_asked() -> None:
    # The two nearest are wrong, so are the sixth and the seventh; a tie is for the smaller label.
    train = np.array([0.1, 0.2, 1.0, 1.1, 1.2, 2.0, 2.1])[:, None]
    labels = np.array([3, 3, 4, 4, 4, 3, 3])
    for k in (1, 2, 3, 4, 6, 7):
        assert knn_accuracy(train, labels, np.zeros((1, 1)), np.array([4]), k=k) == 0
    assert knn_accuracy(train, labels, np.zeros((1, 1)), np.array([4])) == 100


def test_the_probe_knows_nothing_of_the_test_set(rng: Generator) -> None:
    train = np.concatenate([rng.normal(-1, 0.1, (90, 1)), rng.normal(1, 0.1, (10, 1))])
    labels = np.repeat([0, 1], [90, 10])
    for far in (-1.0, -1e6):  # where half of the test latents lie, which others do not care about
        test = np.array([[1.0], [1.1], [far], [far - 1]])
        assert probe_accuracy(train, labels, test, np.array([1, 1, 0, 0])) == 100


@pytest.mark.parametrize("n", [10, 64, 65, 300])
def test_silhouette_is_that_of_scikit_learn(n: int, rng: Generator) -> None:
    latents, labels = rng.normal(size=(n, 3)), np.arange(n) % 4 + 3
    labels[0] = 9  # alone in its class
    latents += labels[:, None]
    expected = sklearn.metrics.silhouette_score(latents, labels)
    assert silhouette(latents, labels) == pytest.approx(expected)


def test_a_silhouette_has_no_unit(rng: np.random.Generator) -> None:
    points, labels = rng.standard_normal((30, 3)), np.arange(30) % 3
    assert silhouette(points * 1e-3, labels) == pytest.approx(silhouette(points, labels))
