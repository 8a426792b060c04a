"""Samples among real images, against cases that can be counted by hand and plain distances."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator
from scipy.spatial.distance import cdist

from mnist_vae.measure import neighbours
from mnist_vae.measure.neighbours import coverage, nearest, too_near


def test_coverage_by_hand() -> None:
    real = np.array([[0.0], [1], [2], [100], [101], [102]])
    samples = np.array([[0.5], [1.5], [0.9], [50]])
    found = coverage(real, samples, k=1)
    # Real points reach 1 far: 50 is among none of them.
    assert found.precision == 75
    # Samples reach 0.4, 0.6, 0.4 and 48.5 far: 1 is near 0.9 and 2 near 1.5, no other is that near.
    assert found.recall == pytest.approx(100 * 2 / 6)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_coverage_is_that_of_plain_distances(rng: Generator, k: int) -> None:
    real, samples = rng.normal(size=(600, 4)) + 1000, 0.7 * rng.normal(size=(500, 4)) + 1000.5

    def among(points: np.ndarray, others: np.ndarray) -> float:
        reach = np.sort(cdist(others, others), axis=1)[:, k]
        return 100 * float((cdist(points, others) <= reach).any(1).mean())

    found = coverage(real, samples, k)
    assert found.precision == pytest.approx(among(samples, real))
    assert found.recall == pytest.approx(among(real, samples))


def test_one_place_is_precise_and_recalls_little(rng: Generator) -> None:
    real = rng.normal(size=(300, 2))
    place = 0.01 * rng.normal(size=(300, 2))
    found = coverage(real, place)
    assert found.precision > 95
    assert found.recall < 5
    swapped = coverage(place, real)
    assert (swapped.precision, swapped.recall) == (found.recall, found.precision)


def test_blocks_change_nothing(rng: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    real, samples = rng.normal(size=(41, 3)), rng.normal(size=(33, 3))
    whole = coverage(real, samples), nearest(samples, real)
    monkeypatch.setattr(neighbours, "ROWS", 7)
    assert coverage(real, samples) == whole[0]
    np.testing.assert_array_equal(nearest(samples, real), whole[1])


def test_blocks_take_every_point_once(rng: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    points, others = rng.normal(size=(41, 3)), rng.normal(size=(33, 3))
    monkeypatch.setattr(neighbours, "ROWS", 7)
    blocks = list(neighbours._squared_distances(points, others))
    assert [(rows.start, len(distances)) for rows, distances in blocks] == [
        *((start, 7) for start in range(0, 35, 7)),
        (35, 6),
    ]
    distances = np.concatenate([distances for _, distances in blocks])
    np.testing.assert_allclose(distances, cdist(points, others) ** 2)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 8, 8), (6, 5), (5, 6), (4, 9), (9, 4), (40,)])
def test_the_nearest_is_that_of_plain_distances(rng: Generator, shape: tuple[int, ...]) -> None:
    training = rng.integers(0, 256, (300, *shape), dtype=np.uint8)
    images = rng.random((40, *shape), dtype=np.float32)
    images[3] = training[7] / np.float32(255)
    images[4] = training[9] / np.float32(255) ** 2  # dark: squares of 2 x 2 tell it from few others
    plain = cdist(images.reshape(40, -1), training.reshape(300, -1) / 255)
    found = nearest(images, training)
    np.testing.assert_array_equal(found.indices, plain.argmin(1))
    np.testing.assert_allclose(found.distances, plain.min(1), atol=1e-5)
    assert found.distances[3] < 1e-5
    assert nearest(training[:5], training).distances.max() == 0


def test_the_nearest_of_images_that_look_the_same_from_afar() -> None:
    """All have the same squares of 2 x 2, and only the pixels inside these differ."""
    rows = np.array([[[0, 1], [1, 0]], [[1, 0], [0, 1]], [[0.5, 0.5], [0.5, 0.5]]], np.float32)
    images = np.tile(rows, (1, 4, 4))
    assert nearest(images, images).indices.tolist() == [0, 1, 2]
    assert nearest(images[:1] * 0.9, images[1:]).indices.tolist() == [1]


def test_too_near_is_a_share_of_samples() -> None:
    real = np.arange(1.0, 101)  # its quantile of 0.1 is 10.9
    assert too_near(np.array([1, 10.8, 11, 50]), real, 0.1) == 50
    assert too_near(real, real, 0.1) == 10
    assert too_near(real + 100, real) == 0
    assert too_near(np.ones(3), np.ones(5)) == 0  # as near as they are is not nearer


@pytest.mark.parametrize(
    ("images", "training", "complaint"),
    [
        (np.zeros((2, 4)), np.zeros((3, 5)), r"images are \(4,\), training is \(5,\): must be the"),
        (np.zeros((0, 4)), np.zeros((3, 4)), r"images is \(0, 4\), must be \[N, \.\.\.\]"),
        (np.zeros((2, 4)), np.zeros((0, 4)), r"training is \(0, 4\), must be \[N, \.\.\.\]"),
        (np.zeros(4), np.zeros((3, 4)), r"images is \(4,\), must be \[N, \.\.\.\]"),
        (np.full((2, 4), np.nan), np.zeros((3, 4)), "images has a NaN or an infinity"),
    ],
)
def test_images_that_cannot_be_meant_are_refused(
    images: np.ndarray, training: np.ndarray, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        nearest(images, training)


@pytest.mark.parametrize(("place", "precision"), [(6, 100), (7, 0)])
def test_a_point_at_the_distance_of_the_third_neighbour_is_among_them(
    place: int, precision: float
) -> None:
    real = np.arange(4.0)[:, None]  # the last is 3 from its third neighbour
    samples = np.full((4, 1), float(place))  # on top of each other: nothing is among them
    assert coverage(real, samples) == (precision, 0)
    assert coverage(samples, real) == (0, precision)
