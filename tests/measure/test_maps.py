from __future__ import annotations

import numpy as np
import pytest
import sklearn.manifold
from numpy.random import Generator

from mnist_vae.measure.maps import map_quality


@pytest.mark.parametrize(("n", "k"), [(5, 1), (64, 5), (65, 10), (400, 10), (21, 10)])
def test_map_quality_is_that_of_scikit_learn(n: int, k: int, rng: Generator) -> None:
    latents = rng.normal(size=(n, 6))
    points = latents[:, :2] + 0.3 * rng.normal(size=(n, 2))
    quality = map_quality(latents, points, k)
    expected = sklearn.manifold.trustworthiness(latents, points, n_neighbors=k)
    assert quality.trustworthiness == pytest.approx(expected, abs=1e-12)

    def nearest(x: np.ndarray) -> np.ndarray:
        distances = ((x[:, None] - x) ** 2).sum(-1) + np.diag(np.full(n, np.inf))
        return np.argsort(distances, axis=1)[:, :k]

    kept = [len(set(a) & set(b)) for a, b in zip(nearest(latents), nearest(points), strict=True)]
    assert quality.preservation == pytest.approx(np.mean(kept) / k)


def test_a_true_map_is_perfect_and_a_random_one_is_not(rng: Generator) -> None:
    latents = rng.normal(size=(500, 2)).astype(np.float32)
    turn = np.array([[0, -1], [1, 0]], np.float32)
    assert map_quality(latents, 8 * latents @ turn + 4) == (1, 1)
    random = map_quality(latents, rng.normal(size=(500, 2)))
    assert random.trustworthiness == pytest.approx(0.5, abs=0.05)
    assert random.preservation == pytest.approx(10 / 500, abs=0.02)


def test_points_in_the_same_place_are_no_neighbours_of_themselves(rng: Generator) -> None:
    # 30 latents drawn on top of each other: more than the map's query for k + 1 returns.
    latents = np.concatenate([np.zeros((30, 3)), rng.normal(size=(70, 3)) + 5])
    assert map_quality(latents, latents[:, :2], k=5).preservation > 30 / 100
    assert map_quality(np.zeros((30, 3)), np.zeros((30, 2)), k=5) == (1, 1)


def test_ten_neighbours_unless_asked(rng: Generator) -> None:
    latents, points = rng.normal(size=(60, 6)), rng.normal(size=(60, 2))
    quality = map_quality(latents, points)
    assert quality == map_quality(latents, points, k=10)
    assert quality != map_quality(latents, points, k=11)


def test_neighbours_are_fewer_than_half_of_the_points(rng: np.random.Generator) -> None:
    latents = rng.standard_normal((8, 3))
    assert map_quality(latents, latents[:, :2], k=3)
    with pytest.raises(ValueError, match="k is 4, must be at least 1 and below half of the 8"):
        map_quality(latents, latents[:, :2], k=4)
