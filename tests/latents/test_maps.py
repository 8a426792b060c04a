"""Maps of latents: PCA against scikit-learn, t-SNE by what it must keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from openTSNE import TSNEEmbedding, affinity, initialization
from sklearn.decomposition import PCA

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.files.maps import MAPS, MapsFacts
from mnist_vae.latents.maps import EmbedSettings, pca, project, tsne
from mnist_vae.settings import check

SETTINGS = EmbedSettings(perplexity=15, early_iterations=30, iterations=30, theta=0.8, momentum=0.8)
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
    return np.asarray(points.reshape(CLUSTERS, SIZE, 8).mean(1))


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
    axes = pca(points).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    assert (axes[[0, 1], np.abs(axes).argmax(1)] > 0).all()
    np.testing.assert_allclose(pca(-points).axes, axes, atol=1e-6)


def test_pca_explains_a_plane_wholly() -> None:
    plane = np.random.default_rng(0).standard_normal((100, 2)) @ np.eye(2, 7)
    assert pca(plane).explained.sum() == pytest.approx(1)


# --- t-SNE ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted(points: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map of the points, and where the middles of their clusters lie on it."""
    places, laid = tsne(points, centers, SETTINGS, seed=0)
    assert laid is not None
    return places, laid


def test_tsne_keeps_clusters_apart_with_their_means_inside(
    fitted: tuple[np.ndarray, np.ndarray],
) -> None:
    places, laid = fitted
    assert places.shape == (CLUSTERS * SIZE, 2)
    assert laid.shape == (CLUSTERS, 2)
    clusters = places.reshape(CLUSTERS, SIZE, 2)
    middles = clusters.mean(1)
    nearest = np.linalg.norm(places[:, None] - middles, axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, MEMBERS)
    radius = np.linalg.norm(clusters - middles[:, None], axis=-1).max(1)
    assert (np.linalg.norm(laid - middles, axis=-1) < radius).all()


@pytest.mark.parametrize("early", [0, 11])
def test_tsne_goes_on_with_exaggeration_and_momentum_in_turn(
    points: np.ndarray, early: int
) -> None:
    """openTSNE's own, step by step: they differ in the order of sums, and of points in its tree."""
    settings = EmbedSettings(
        perplexity=15, early_iterations=early, iterations=6, theta=0, momentum=0.3
    )
    pairs = affinity.PerplexityBasedNN(points, 15, method="exact")
    start = seeds.number(0, "map") % 2**32
    expected = initialization.pca(points, random_state=start)
    for iterations, exaggeration, momentum in (
        (early - early // 2, 12, 0.8),
        (early // 2, 3, 0.8),
        (6, 1, 0.3),
    ):
        part = TSNEEmbedding(expected, pairs, negative_gradient_method="bh", theta=0)
        expected = part.optimize(iterations, exaggeration=exaggeration, momentum=momentum)
    places, _ = tsne(points, None, settings, seed=0)
    size = np.abs(np.asarray(expected)).max()
    np.testing.assert_allclose(places, np.asarray(expected), rtol=0, atol=0.02 * size)


def test_tsne_is_the_same_bytes_for_a_seed(
    points: np.ndarray, centers: np.ndarray, fitted: tuple[np.ndarray, np.ndarray]
) -> None:
    for one, two in zip(tsne(points, centers, SETTINGS, seed=0), fitted, strict=True):
        assert one is not None
        assert one.tobytes() == two.tobytes()


def test_what_is_laid_onto_a_map_does_not_move_it(
    points: np.ndarray, centers: np.ndarray, fitted: tuple[np.ndarray, np.ndarray]
) -> None:
    for others in (centers[:2] + 5, None):
        places, _ = tsne(points, others, SETTINGS, seed=0)
        assert places.tobytes() == fitted[0].tobytes()


def test_tsne_of_fewer_points_than_its_perplexity(caplog: pytest.LogCaptureFixture) -> None:
    few = np.random.default_rng(0).standard_normal((20, 5)).astype(np.float32)
    settings = msgspec.structs.replace(SETTINGS, perplexity=1000)
    for places in tsne(few, few[:3], settings, seed=0):
        assert places is not None
        assert np.isfinite(places).all()
    assert caplog.messages == []


# --- Which map ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [1, 2, 16])
def test_points_that_are_all_the_same_have_no_map(tmp_path: Path, dim: int) -> None:
    same = np.ones((50, dim), np.float32)
    with pytest.raises(InputError, match="all images have the same latent"):
        project(same, same[:10], SETTINGS, seed=0)
    same[0, -1] = 2
    maps, method = project(same, same[:10], SETTINGS, seed=0)
    facts = MapsFacts(model="m", method=method, perplexity=15)
    labels = np.zeros(50, np.uint8)
    MAPS.write(tmp_path / "maps", maps | {"labels": labels}, facts)  # finite and of right shapes


def test_many_dimensions_are_mapped_by_tsne(
    points: np.ndarray, centers: np.ndarray, fitted: tuple[np.ndarray, np.ndarray]
) -> None:
    maps, method = project(points, centers, SETTINGS, seed=0)
    axes = pca(points)
    assert method == "t-SNE"
    assert all(array.dtype == np.float32 for array in maps.values())
    np.testing.assert_array_equal(maps["map"], fitted[0].astype(np.float32))
    np.testing.assert_array_equal(maps["class_map"], fitted[1].astype(np.float32))
    np.testing.assert_allclose(maps["pca"], axes.project(points), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(maps["explained_variance"], axes.explained, rtol=1e-6)


def test_two_dimensions_are_their_own_map(points: np.ndarray, centers: np.ndarray) -> None:
    maps, method = project(points[:, :2], centers[:, :2], SETTINGS, seed=0)
    assert method == "latent plane"
    np.testing.assert_array_equal(maps["map"], points[:, :2])
    np.testing.assert_array_equal(maps["class_map"], centers[:, :2])


def test_one_dimension_is_drawn_against_a_constant(points: np.ndarray, centers: np.ndarray) -> None:
    maps, method = project(points[:, :1], centers[:, :1], SETTINGS, seed=0)
    assert method == "latent plane"
    np.testing.assert_array_equal(maps["map"], np.pad(points[:, :1], ((0, 0), (0, 1))))
    np.testing.assert_array_equal(maps["class_map"][:, 0], centers[:, 0])
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
    settings = check(VALID | change, EmbedSettings, "embed")
    assert msgspec.structs.asdict(settings) == VALID | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"perplexity": 1}, "perplexity: found 1.0, must be from 2 to 1000"),
        ({"early_iterations": -1}, "early_iterations: found -1, must be from 0 to 10000"),
        ({"iterations": 10_001}, "iterations: found 10001"),
        ({"iterations": 1.5}, "iterations: found 1.5, must be a whole number"),
        ({"theta": 1.1}, "theta: found 1.1, must be from 0 to 1"),
        ({"momentum": 1.0}, "momentum: found 1.0, must be from 0 to 0.999"),
        ({"method": "umap"}, "method: unknown key"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check(VALID | change, EmbedSettings, "embed")
    assert str(error.value).startswith(f"embed.{message}")
