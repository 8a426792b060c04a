from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from numpy.random import Generator

from mnist_vae.measure.samples import (
    class_entropy,
    confident_share,
    frechet_distance,
    frechet_floor,
)


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int, rng: Generator) -> np.ndarray:
    """Features [n, F] whose sample mean and covariance are exactly these."""
    x = rng.normal(size=(n, len(mean)))
    x -= x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T)).T)
    return np.asarray(white @ np.linalg.cholesky(covariance).T + mean)


def test_frechet_distance_in_closed_form(rng: Generator) -> None:
    mean, variance = np.array([1.0, -2, 0]), np.array([4.0, 1, 9])
    a = with_moments(np.zeros(3), np.eye(3), 50, rng)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert frechet_distance(a, a + mean) == pytest.approx(5)
    # Diagonal covariances: the sum of (σ₁ - σ₂)² beside that of the means.
    b = with_moments(mean, np.diag(variance), 80, rng)
    assert frechet_distance(a, b) == pytest.approx(5 + 1 + 0 + 4)
    assert frechet_distance(b, a) == pytest.approx(10)


@pytest.mark.parametrize("n", [10, 200])
def test_frechet_distance_is_that_of_a_matrix_root(n: int, rng: Generator) -> None:
    """With 10 rows of 16 features the covariances are singular."""
    a = rng.normal(size=(n, 16)) @ rng.normal(size=(16, 16))
    b = rng.normal(size=(n, 16)) @ rng.normal(size=(16, 16)) + 1
    one, two = np.cov(a.T), np.cov(b.T)
    half = scipy.linalg.sqrtm(one + 1e-10 * np.eye(16)).real
    root = np.sqrt(np.linalg.eigvalsh(half @ two @ half).clip(0)).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = shift + np.trace(one) + np.trace(two) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_of_singular_covariances(rng: Generator) -> None:
    flat = with_moments(np.zeros(2), np.eye(2), 40, rng) @ np.array([[1.0, 0, 0], [0, 1, 0]])
    assert frechet_distance(flat, 3 * flat) == pytest.approx(2 * (3 - 1) ** 2)
    constant = np.ones((40, 3))
    assert frechet_distance(constant, constant) == 0
    assert frechet_distance(flat, constant) == pytest.approx(2 + 3)


def test_frechet_distance_keeps_its_digits_beside_a_large_mean(rng: Generator) -> None:
    features = rng.normal(size=(100, 8)).astype(np.float32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-10)
    far = features.astype(np.float64) + 1e5
    assert frechet_distance(far, far + 1) == pytest.approx(8)


def test_the_frechet_floor_is_of_as_many_other_real_images(rng: Generator) -> None:
    features, others = rng.normal(size=(50, 4)), rng.normal(size=(400, 4))
    floor = frechet_floor(features, others, np.random.default_rng(3), draws=3)
    again = np.random.default_rng(3)
    each = [
        frechet_distance(features, others[again.choice(400, 50, replace=False)]) for _ in range(3)
    ]
    assert floor.mean == pytest.approx(np.mean(each))
    assert floor.standard_deviation == pytest.approx(np.std(each, ddof=1))
    five = frechet_floor(features, others, np.random.default_rng(3), draws=5)
    assert frechet_floor(features, others, np.random.default_rng(3)) == five
    with pytest.raises(ValueError, match=r"at least 2 draws, each of no more than there are$"):
        frechet_floor(features, others, rng, draws=1)
    # All of as many others are drawn each time, once each: no spread.
    whole = frechet_floor(features, others[:50], rng)
    assert whole.mean == pytest.approx(frechet_distance(features, others[:50]))
    assert whole.standard_deviation == pytest.approx(0, abs=1e-9)


def test_the_confident_share_is_above_the_threshold() -> None:
    assert confident_share(np.array([0.9, 0.91, 1.0, 0.2])) == 50
    assert confident_share(np.array([0.4, 0.6, 0.5, 0.7]), 0.5) == 50
    assert confident_share(np.zeros(3)) == 0


@pytest.mark.parametrize(
    ("predicted", "entropy"),
    [
        (np.arange(1000) % 10, math.log(10)),
        (np.arange(1000) % 2 * 7, math.log(2)),
        (np.full(5, 3), 0),
        (np.array([0, 0, 0, 9]), -0.75 * math.log(0.75) - 0.25 * math.log(0.25)),
    ],
)
def test_class_entropy(predicted: np.ndarray, entropy: float) -> None:
    assert class_entropy(predicted, 10) == pytest.approx(entropy)
    assert math.copysign(1, class_entropy(predicted, 10)) == 1


def test_two_rows_are_enough_for_a_distance() -> None:
    two = np.array([[0.0, 1.0], [2.0, 1.0]])
    assert frechet_distance(two, two + 3) == pytest.approx(18)
