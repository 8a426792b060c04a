"""What is made of images and latents, each against a plain computation of the same."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.latents import views
from mnist_vae.latents.views import EncodeSettings
from mnist_vae.nets.vae import VAE

SETTINGS = EncodeSettings(first_pair=30, interpolate=(2, 4, 5, 6), steps=5, manifold_steps=4)


def make_model(dim: int = 4, *, variational: bool = True) -> VAE:
    """A network with parameters that make its outputs vary."""
    torch.manual_seed(dim)
    network = VAE(dim, variational=variational).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.7)
    return network


@pytest.fixture
def images(blobs: np.ndarray) -> np.ndarray:
    """The blobs, uint8 [256, 28, 28]."""
    return blobs.copy()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


LABELS = np.random.default_rng(1).permutation(np.arange(256) % 10).astype(np.uint8)


# --- Through the network --------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 100, 255, 256, 1000])
def test_encoding_does_not_depend_on_the_batch(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray, batch: int
) -> None:
    network = make_model()
    monkeypatch.setattr(views, "BATCH", batch)
    mean, logvar = views.encode(network, images)
    with torch.no_grad():
        expected = network.encode(torch.from_numpy(images)[:, None] / 255)
    assert mean.dtype == logvar.dtype == np.float32
    assert np.ptp(mean, axis=0).min() > 0.01
    np.testing.assert_allclose(mean, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logvar, expected[1], rtol=1e-4, atol=1e-5)


def test_an_autoencoder_encodes_without_log_variance(images: np.ndarray) -> None:
    mean, logvar = views.encode(make_model(variational=False), images)
    assert mean.shape == (256, 4)
    assert logvar is None


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("shape", [(1, 4), (15, 4), (3, 5, 4)])
def test_decoding_keeps_the_arrangement(
    monkeypatch: pytest.MonkeyPatch,
    rng: np.random.Generator,
    batch: int,
    shape: tuple[int, ...],
) -> None:
    network, latents = make_model(), rng.standard_normal(shape)
    monkeypatch.setattr(views, "BATCH", batch)
    pixels = views.decode(network, latents)
    assert pixels.shape == (*shape[:-1], 28, 28)
    assert pixels.dtype == np.float32
    for place in np.ndindex(shape[:-1]):
        with torch.no_grad():
            alone = network.decode(torch.from_numpy(latents[place]).float()[None])[0, 0]
        np.testing.assert_allclose(pixels[place], alone, atol=1e-6)


# --- Samples --------------------------------------------------------------------------------------


def test_a_sample_of_no_variance_is_the_mean(rng: np.random.Generator) -> None:
    mean = rng.standard_normal((5, 3), dtype=np.float32)
    certain = np.full_like(mean, -np.inf)
    np.testing.assert_array_equal(views.sample(mean, certain, rng), mean)
    np.testing.assert_array_equal(views.sample(mean, None, rng), mean)


def test_samples_have_the_posteriors_mean_and_variance(rng: np.random.Generator) -> None:
    mean = np.tile(np.array([0, 3, -2], np.float32), (40_000, 1))
    logvar = np.tile(np.log(np.array([1, 0.01, 9], np.float32)), (40_000, 1))
    drawn = views.sample(mean, logvar, rng)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(0), mean[0], atol=0.06)
    np.testing.assert_allclose(drawn.var(0), np.exp(logvar[0]), rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(3), atol=0.02)


# --- Classes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [True, False])
def test_class_posteriors_against_a_loop(rng: np.random.Generator, variational: bool) -> None:
    mean, logvar = rng.standard_normal((2, 256, 3))
    sums, counts = np.zeros((2, 10, 3)), np.zeros(10)
    for i, label in enumerate(LABELS):
        sums[:, label] += mean[i], logvar[i]
        counts[label] += 1
    means, logvars = views.class_posteriors(mean, logvar if variational else None, LABELS)
    np.testing.assert_allclose(means, sums[0] / counts[:, None])
    if variational:
        np.testing.assert_allclose(logvars, sums[1] / counts[:, None])
    else:
        assert logvars is None


# --- Interpolation and the plane ------------------------------------------------------------------


@pytest.mark.parametrize("steps", [2, 5, 11, 50])
def test_the_corners_of_an_interpolation_are_the_classes_themselves(
    rng: np.random.Generator, steps: int
) -> None:
    a, b, c, d = corners = rng.standard_normal((4, 16), dtype=np.float32)
    grid = views.interpolate(corners, steps)
    assert grid.shape == (steps, steps, 16)
    assert grid.dtype == np.float32
    for place, corner in (((-1, -1), a), ((0, -1), b), ((-1, 0), c), ((0, 0), d)):
        np.testing.assert_array_equal(grid[place], corner)


def test_an_interpolation_is_the_notebooks(rng: np.random.Generator) -> None:
    sample1, sample2, sample3, sample4 = corners = rng.standard_normal((4, 16))
    grid = views.interpolate(corners, 11)
    for i, alpha1 in enumerate(np.arange(0.0, 1.1, 0.1)):
        for j, alpha2 in enumerate(np.arange(0.0, 1.1, 0.1)):
            new_vector = (alpha1 * sample1 + (1 - alpha1) * sample2) * alpha2 + (1 - alpha2) * (
                alpha1 * sample3 + (1 - alpha1) * sample4
            )
            np.testing.assert_allclose(grid[i, j], new_vector, atol=1e-6)


def test_the_plane_lies_as_it_is_drawn(rng: np.random.Generator) -> None:
    mean = rng.standard_normal((1000, 2), dtype=np.float32) * [1, 5] + [0, 20]
    x, y, grid = views.plane(mean, 7)
    assert x.shape == y.shape == (7,)
    assert grid.shape == (7, 7, 2)
    assert grid.dtype == np.float32
    for row in range(7):
        for column in range(7):
            assert grid[row, column].tolist() == [x[column], y[row]]
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) < 0).all()


def test_the_plane_spans_all_but_the_outermost_means() -> None:
    mean = np.stack([np.arange(101), 10 * np.arange(101)[::-1]], 1).astype(np.float32)
    x, y, _ = views.plane(mean, 3)
    assert x.tolist() == [1, 50, 99]
    assert y.tolist() == [990, 500, 10]


# --- Traversals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("dim", [1, 3, 8, 20])
def test_traversals_move_one_of_the_most_active_dimensions(
    rng: np.random.Generator, dim: int, variational: bool
) -> None:
    spread = rng.permutation(np.linspace(0.1, 3, dim))
    mean = (spread * rng.standard_normal((5000, dim))).astype(np.float32)
    start = rng.standard_normal(dim, dtype=np.float32)
    logvar = np.zeros_like(mean) if variational else None
    dims, values, moved = views.traverse(start, mean, logvar, 5)
    assert dims.tolist() == np.argsort(-spread)[:8].tolist()
    assert moved.shape == (min(8, dim), 5, dim)
    assert moved.dtype == values.dtype == np.float32
    for row, which in enumerate(dims):
        for column, value in enumerate(values[row]):
            expected = start.copy()
            expected[which] = value
            np.testing.assert_array_equal(moved[row, column], expected)


def test_activity_is_the_rate_and_not_the_spread_of_the_means(rng: np.random.Generator) -> None:
    mean = (rng.standard_normal((5000, 2)) * [1.0, 1.5]).astype(np.float32)
    logvar = np.tile(np.array([-9, 0], np.float32), (5000, 1))
    assert views.traverse(mean[0], mean, logvar, 3)[0].tolist() == [0, 1]
    assert views.traverse(mean[0], mean, None, 3)[0].tolist() == [1, 0]


def test_traversals_span_where_the_images_are() -> None:
    mean = np.stack([np.arange(101), 7 - 0.1 * np.arange(101)], 1).astype(np.float32)
    _, values, _ = views.traverse(mean[0], mean, None, 3)
    np.testing.assert_allclose(values, [[1, 50, 99], [-2.9, 2, 6.9]], atol=0.02)


# --- Bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_survive_the_way_to_pixels_and_back(dtype: Any) -> None:
    every = np.arange(256, dtype=np.uint8)
    found = views.to_bytes(every.astype(dtype) / 255)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, every)


@pytest.mark.parametrize(
    ("pixel", "byte"), [(0.0, 0), (0.49 / 255, 0), (0.51 / 255, 1), (254.51 / 255, 255), (1.0, 255)]
)
def test_pixels_are_rounded(pixel: float, byte: int) -> None:
    assert views.to_bytes(np.array([pixel])).tolist() == [byte]


# --- Everything together --------------------------------------------------------------------------

TRAVERSALS = {"traversals", "traversal_dims", "traversal_values"}
BOTH = {"reconstructions", "class_digits", "interpolation", "originals"} | TRAVERSALS
PLANE = {"manifold", "manifold_x", "manifold_y"}


@pytest.mark.parametrize(
    ("dim", "variational", "latents", "drawn"),
    [
        (4, True, {"logvar"}, BOTH | {"prior_samples"}),
        (4, False, set(), BOTH),
        (2, True, {"logvar"}, BOTH | PLANE | {"prior_samples"}),
        (2, False, set(), BOTH | PLANE),
        (1, True, {"logvar"}, BOTH | {"prior_samples"}),
    ],
)
def test_what_a_model_is_asked_for(
    images: np.ndarray, dim: int, variational: bool, latents: set[str], drawn: set[str]
) -> None:
    network = make_model(dim, variational=variational)
    found, pictures = views.explore(network, images, LABELS, SETTINGS, seed=0)
    assert found.keys() == {"mean", "labels", "class_latents"} | latents
    assert pictures.keys() == drawn
    shapes = {
        "reconstructions": (100, 28, 28),
        "originals": (100, 28, 28),
        "class_digits": (10, 28, 28),
        "interpolation": (5, 5, 28, 28),
        "prior_samples": (100, 28, 28),
        "manifold": (4, 4, 28, 28),
        "traversals": (dim, 5, 28, 28),
    }
    for name in drawn & shapes.keys():
        assert pictures[name].shape == shapes[name]
        assert pictures[name].dtype == np.uint8


def test_pairs_are_the_images_asked_for_decoded_from_their_means(images: np.ndarray) -> None:
    network = make_model()
    latents, pictures = views.explore(network, images, LABELS, SETTINGS, seed=0)
    np.testing.assert_array_equal(pictures["originals"], images[30:130])
    expected = views.decode(network, latents["mean"][30:130])
    np.testing.assert_array_equal(pictures["reconstructions"], views.to_bytes(expected))


def test_the_corners_are_the_digits_asked_for(images: np.ndarray) -> None:
    _, pictures = views.explore(make_model(), images, LABELS, SETTINGS, seed=0)
    digits, grid = pictures["class_digits"].astype(int), pictures["interpolation"].astype(int)
    for place, digit in (((-1, -1), 2), ((0, -1), 4), ((-1, 0), 5), ((0, 0), 6)):
        assert np.abs(grid[place] - digits[digit]).max() <= 1
    assert np.abs(digits[2] - digits[4]).max() > 1


def test_traversals_start_from_the_first_class_of_the_interpolation(images: np.ndarray) -> None:
    network = make_model()
    found, pictures = views.explore(network, images, LABELS, SETTINGS, seed=0)
    means, _ = views.class_posteriors(found["mean"], None, LABELS)
    latents = np.tile(means[2], (4, 5, 1))
    for row, dim in enumerate(pictures["traversal_dims"]):
        latents[row, :, dim] = pictures["traversal_values"][row]
    expected = views.to_bytes(views.decode(network, latents))
    np.testing.assert_array_equal(pictures["traversals"], expected)
    assert np.ptp(pictures["traversals"].astype(int), axis=1).max() > 1


def test_an_autoencoders_class_latents_are_the_class_means(images: np.ndarray) -> None:
    found, _ = views.explore(make_model(variational=False), images, LABELS, SETTINGS, seed=0)
    means, _ = views.class_posteriors(found["mean"], None, LABELS)
    np.testing.assert_array_equal(found["class_latents"], means)


def test_a_seed_decides_what_is_drawn_and_nothing_else(images: np.ndarray) -> None:
    network = make_model()
    first, again, other = (
        views.explore(network, images, LABELS, SETTINGS, seed) for seed in (1, 1, 2)
    )
    for one, two in zip(first, again, strict=True):
        assert all(np.array_equal(one[name], two[name]) for name in one)
    changed = [
        {name for name in one if not np.array_equal(one[name], two[name])}
        for one, two in zip(first, other, strict=True)
    ]
    assert changed == [{"class_latents"}, {"class_digits", "interpolation", "prior_samples"}]


# --- Settings -------------------------------------------------------------------------------------

VALID = {"first_pair": 0, "interpolate": [0, 9, 3, 3], "steps": 2, "manifold_steps": 50}


@pytest.mark.parametrize("change", [{}, {"first_pair": 9_900}, {"steps": 50, "manifold_steps": 2}])
def test_settings(change: dict[str, Any]) -> None:
    found = dataclasses.asdict(params.check(VALID | change, EncodeSettings, "encode"))
    assert found == VALID | change | {"interpolate": (0, 9, 3, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_pair": -1}, "encode.first_pair: found -1, must be from 0 to 9900"),
        ({"first_pair": 9_901}, "encode.first_pair: found 9901"),
        ({"interpolate": [1, 2, 3]}, "encode.interpolate: found 3 values, must be 4"),
        ({"interpolate": [1, 2, 3, 4, 5]}, "encode.interpolate: found 5 values, must be 4"),
        ({"interpolate": [1, 2, 3, 10]}, "encode.interpolate[3]: found 10, must be from 0 to 9"),
        ({"interpolate": 2456}, "encode.interpolate: found 2456, must be a list"),
        ({"steps": 1}, "encode.steps: found 1, must be from 2 to 50"),
        ({"manifold_steps": 51}, "encode.manifold_steps: found 51, must be from 2 to 50"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(VALID | change, EncodeSettings, "encode")
    assert str(error.value).startswith(message)
