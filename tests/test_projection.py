"""Maps of latents: PCA against scikit-learn, t-SNE by what it must keep."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.latents.maps import EmbedSettings, pca, project, tsne

SETTINGS = EmbedSettings(
    perplexity=15, early_iterations=50, iterations=100, theta=0.8, momentum=0.8
)
CLUSTERS, SIZE = 4, 50
MEMBERS = np.repeat(np.arange(CLUSTERS), SIZE)


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """Four well separated clusters, float32 [200, 8]."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((CLUSTERS, 8)) * 10
    return (centers[MEMBERS] + rng.standard_normal((len(MEMBERS), 8))).astype(np.float32)


@pytest.fixture(scope="module")
def centers(points: np.ndarray) -> np.ndarray:
    """The mean of each cluster, [4, 8]."""
    return points.reshape(CLUSTERS, SIZE, 8).mean(1)


# --- PCA ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "dim"), [(300, 16), (300, 2), (50, 3), (5, 16)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pca_against_scikit_learn(count: int, dim: int, dtype: Any) -> None:
    rng = np.random.default_rng(dim)
    points = (rng.standard_normal((count, dim)) @ rng.standard_normal((dim, dim)) + 5).astype(dtype)
    ours, theirs = pca(points), PCA(2, svd_solver="full").fit(points.astype(float))
    signs = np.sign((ours.axes * theirs.components_).sum(1))
    np.testing.assert_allclose(ours.axes, theirs.components_ * signs[:, None], atol=1e-5)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-5)
    expected = theirs.transform(points.astype(float)) * signs
    np.testing.assert_allclose(ours.project(points), expected, atol=1e-3)


def test_pca_has_orthonormal_axes_of_a_sign_that_does_not_vary(points: np.ndarray) -> None:
    found = pca(points)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(2), atol=1e-12)
    largest = found.axes[[0, 1], np.abs(found.axes).argmax(1)]
    assert (largest > 0).all()
    mirrored = pca(-points)
    np.testing.assert_allclose(mirrored.axes, found.axes, atol=1e-6)


def test_pca_explains_a_plane_wholly() -> None:
    plane = np.random.default_rng(0).standard_normal((100, 2)) @ np.eye(2, 7)
    assert pca(plane).explained.sum() == pytest.approx(1)


# --- t-SNE ----------------------------------------------------------------------------------------


def nearest(map_: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Which cluster's middle on the map each place is nearest to."""
    middles = map_.reshape(CLUSTERS, SIZE, 2).mean(1)
    return np.linalg.norm(places[:, None] - middles, axis=-1).argmin(1)


def test_tsne_keeps_clusters_apart(points: np.ndarray, centers: np.ndarray) -> None:
    fitted, _ = tsne(points, centers, SETTINGS, seed=0)
    assert fitted.shape == (len(points), 2)
    np.testing.assert_array_equal(nearest(fitted, fitted), MEMBERS)


def test_tsne_lays_a_clusters_mean_inside_it(points: np.ndarray, centers: np.ndarray) -> None:
    fitted, laid = tsne(points, centers, SETTINGS, seed=0)
    assert laid.shape == (CLUSTERS, 2)
    for cluster, place in zip(fitted.reshape(CLUSTERS, SIZE, 2), laid, strict=True):
        middle = cluster.mean(0)
        radius = np.linalg.norm(cluster - middle, axis=1).max()
        assert np.linalg.norm(place - middle) < radius


def test_tsne_is_the_same_bytes_for_a_seed(points: np.ndarray, centers: np.ndarray) -> None:
    first, again = (tsne(points, centers, SETTINGS, seed=7) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert one.tobytes() == two.tobytes()


def test_what_is_laid_onto_a_map_does_not_move_it(points: np.ndarray, centers: np.ndarray) -> None:
    one, _ = tsne(points, centers, SETTINGS, seed=0)
    two, _ = tsne(points, centers[:2] + 5, SETTINGS, seed=0)
    assert one.tobytes() == two.tobytes()


def test_tsne_of_fewer_points_than_its_perplexity(caplog: pytest.LogCaptureFixture) -> None:
    few = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    settings = dataclasses.replace(SETTINGS, perplexity=1000)
    fitted, laid = tsne(few, few[:3], settings, seed=0)
    assert np.isfinite(fitted).all()
    assert np.isfinite(laid).all()
    assert caplog.messages == []


# --- Which map ------------------------------------------------------------------------------------

NAMES = {"map", "class_map", "pca", "explained_variance"}


@pytest.mark.parametrize("dim", [1, 2, 16])
def test_points_that_are_all_the_same_have_no_map(dim: int) -> None:
    same = np.ones((50, dim), np.float32)
    with pytest.raises(InputError, match="all images have the same latent"):
        project(same, same[:10], SETTINGS, seed=0)
    same[0, -1] = 2
    maps, _ = project(same, same[:10], SETTINGS, seed=0)
    assert all(np.isfinite(array).all() for array in maps.values())


def test_many_dimensions_are_mapped_by_tsne(points: np.ndarray, centers: np.ndarray) -> None:
    maps, method = project(points, centers, SETTINGS, seed=3)
    fitted, laid = tsne(points, centers, SETTINGS, seed=3)
    axes = pca(points)
    assert method == "t-SNE"
    assert maps.keys() == NAMES
    assert all(array.dtype == np.float32 for array in maps.values())
    np.testing.assert_array_equal(maps["map"], fitted.astype(np.float32))
    np.testing.assert_array_equal(maps["class_map"], laid.astype(np.float32))
    np.testing.assert_allclose(maps["pca"], axes.project(points), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(maps["explained_variance"], axes.explained, rtol=1e-6)


def test_two_dimensions_are_their_own_map(points: np.ndarray, centers: np.ndarray) -> None:
    maps, method = project(points[:, :2], centers[:, :2], SETTINGS, seed=0)
    assert method == "latent plane"
    assert maps.keys() == NAMES
    np.testing.assert_array_equal(maps["map"], points[:, :2])
    np.testing.assert_array_equal(maps["class_map"], centers[:, :2])


def test_one_dimension_is_drawn_against_a_constant(points: np.ndarray, centers: np.ndarray) -> None:
    maps, method = project(points[:, :1], centers[:, :1], SETTINGS, seed=0)
    assert method == "latent plane"
    np.testing.assert_array_equal(maps["map"][:, 0], points[:, 0])
    np.testing.assert_array_equal(maps["class_map"][:, 0], centers[:, 0])
    assert not maps["map"][:, 1].any()
    np.testing.assert_allclose(maps["explained_variance"], [1, 0], atol=1e-6)


# --- Settings -------------------------------------------------------------------------------------

VALID = {
    "perplexity": 30,
    "early_iterations": 0,
    "iterations": 10_000,
    "theta": 0,
    "momentum": 0.95,
}


@pytest.mark.parametrize("change", [{}, {"perplexity": 2.5, "theta": 1}])
def test_settings(change: dict[str, Any]) -> None:
    found = params.check(VALID | change, EmbedSettings, "embed")
    assert dataclasses.asdict(found) == VALID | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"perplexity": 1}, "embed.perplexity: found 1.0, must be from 2 to 1000"),
        ({"early_iterations": -1}, "embed.early_iterations: found -1, must be from 0 to 10000"),
        ({"iterations": 10_001}, "embed.iterations: found 10001"),
        ({"iterations": 1.5}, "embed.iterations: found 1.5, must be a whole number"),
        ({"theta": 1.1}, "embed.theta: found 1.1, must be from 0 to 1"),
        ({"momentum": 1.0}, "embed.momentum: found 1.0, must be from 0 to 0.999"),
        ({"method": "umap"}, "embed.method: unknown key"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(VALID | change, EmbedSettings, "embed")
    assert str(error.value).startswith(message)
