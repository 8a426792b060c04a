"""What people look at, against a plain computation of the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.random import Generator
from support.networks import LABELS, make_network

from mnist_vae.errors import InputError
from mnist_vae.files.latents import LATENTS, LatentsFacts
from mnist_vae.files.store import Arrays
from mnist_vae.files.views import VIEWS, ViewsFacts
from mnist_vae.latents.classes import class_posteriors
from mnist_vae.latents.codes import decode, to_bytes
from mnist_vae.latents.views import EncodeSettings, explore, plane, traverse
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import check

SETTINGS = EncodeSettings(first_pair=30, interpolate=(2, 4, 5, 6), steps=5, manifold_steps=4)

# --- The plane ------------------------------------------------------------------------------------


def test_the_plane_lies_as_it_is_drawn(rng: Generator) -> None:
    mean = rng.standard_normal((1000, 2), dtype=np.float32) * [1, 5] + [0, 20]
    x, y, grid = plane(mean, 7)
    assert x.shape == y.shape == (7,)
    assert grid.shape == (7, 7, 2)
    assert grid.dtype == np.float32
    for row, column in np.ndindex(7, 7):
        assert grid[row, column].tolist() == [x[column], y[row]]
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) < 0).all()


def test_the_plane_spans_all_but_the_outermost_means() -> None:
    mean = np.stack([np.arange(101), 10 * np.arange(101)[::-1]], 1).astype(np.float32)
    x, y, _ = plane(mean, 3)
    assert x.tolist() == [1, 50, 99]
    assert y.tolist() == [990, 500, 10]


# --- Traversals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("dim", [1, 3, 8, 20])
def test_traversals_move_one_of_the_most_active_dimensions(
    rng: Generator, dim: int, variational: bool
) -> None:
    spread = rng.permutation(np.linspace(0.1, 3, dim))
    mean = (spread * rng.standard_normal((5000, dim))).astype(np.float32)
    start = rng.standard_normal(dim, dtype=np.float32)
    logvar = np.zeros_like(mean) if variational else None
    dims, values, moved = traverse(start, mean, logvar, 5)
    assert dims.tolist() == np.argsort(-spread)[:8].tolist()
    assert moved.shape == (min(8, dim), 5, dim)
    assert moved.dtype == values.dtype == np.float32
    for row, column in np.ndindex(values.shape):
        expected = start.copy()
        expected[dims[row]] = values[row, column]
        np.testing.assert_array_equal(moved[row, column], expected)


def test_activity_is_the_rate_and_not_the_spread_of_the_means(rng: Generator) -> None:
    mean = (rng.standard_normal((5000, 2)) * [1.0, 1.5]).astype(np.float32)
    logvar = np.tile(np.array([-9, 0], np.float32), (5000, 1))
    assert traverse(mean[0], mean, logvar, 3)[0].tolist() == [0, 1]
    assert traverse(mean[0], mean, None, 3)[0].tolist() == [1, 0]


def test_traversals_span_where_the_images_are() -> None:
    mean = np.stack([np.arange(101), 7 - 0.1 * np.arange(101)], 1).astype(np.float32)
    _, values, _ = traverse(mean[0], mean, None, 3)
    np.testing.assert_allclose(values, np.array([[1, 50, 99], [-2.9, 2, 6.9]]), atol=0.02)


# --- Everything together --------------------------------------------------------------------------

BOTH = {"reconstructions", "class_digits", "interpolation", "originals"}
BOTH |= {"traversals", "traversal_dims", "traversal_values"}
PLANE = {"manifold", "manifold_x", "manifold_y"}


@pytest.mark.parametrize(
    ("dim", "variational", "names"),
    [
        (4, True, BOTH),
        (4, False, BOTH),
        (2, True, BOTH | PLANE),
        (2, False, BOTH | PLANE),
        (1, True, BOTH),
    ],
)
def test_what_a_model_is_asked_for_fits_its_files(
    tmp_path: Path, images: np.ndarray, dim: int, variational: bool, names: set[str]
) -> None:
    network = make_network(dim, variational=variational)
    latents, drawn = explore(network, images, LABELS, 10, SETTINGS, seed=0)
    posterior = {"mean", "logvar"} if variational else {"mean"}
    assert latents.keys() == posterior | {"labels", "class_latents"}
    assert drawn.keys() == names

    path = tmp_path / "file"
    latents |= {f"train_{name}": latents[name][:9] for name in posterior | {"labels"}}
    facts = LatentsFacts(model="m", weights="ab", seed=0, epochs=1, dataset="d")
    LATENTS.write(path, latents, facts)
    LATENTS.read(path, needs=posterior, sizes={"N": 256, "D": dim, "M": 9})
    VIEWS.write(path, drawn, ViewsFacts(model="m", epochs=1, corners=(2, 4, 5, 6), start=30))
    VIEWS.read(path, needs=names, sizes={"S": 5, "T": 5, "R": dim, "M": 4})


@pytest.fixture
def network() -> VAE:
    return make_network()


@pytest.fixture
def explored(network: VAE, images: np.ndarray) -> tuple[Arrays, Arrays]:
    """The latents and the images of a VAE."""
    return explore(network, images, LABELS, 10, SETTINGS, seed=0)


def test_pairs_are_the_images_asked_for_decoded_from_their_means(
    network: VAE, images: np.ndarray, explored: tuple[Arrays, Arrays]
) -> None:
    latents, drawn = explored
    np.testing.assert_array_equal(drawn["originals"], images[30:130])
    expected = to_bytes(decode(network, latents["mean"][30:130]))
    np.testing.assert_array_equal(drawn["reconstructions"], expected)


@pytest.mark.parametrize(
    ("first", "count", "pairs"),
    [
        (30, 256, (30, 130)),
        (156, 256, (156, 256)),
        (157, 256, (156, 256)),
        (200, 40, (0, 40)),
        (0, 100, (0, 100)),
    ],
)
def test_pairs_are_a_hundred_or_as_many_as_there_are(
    first: int, count: int, pairs: tuple[int, int]
) -> None:
    settings = msgspec.structs.replace(SETTINGS, first_pair=first)
    assert settings.pairs(count) == slice(*pairs)


@pytest.mark.parametrize(
    ("classes", "corners"),
    [(10, (2, 4, 5, 6)), (5, (2, 4, 0, 1)), (3, (2, 1, 2, 0)), (2, (0, 0, 1, 0)), (0, ())],
)
def test_corners_are_classes_that_there_are(classes: int, corners: tuple[int, ...]) -> None:
    assert SETTINGS.corners(classes) == corners


@pytest.mark.parametrize("variational", [True, False])
def test_without_labels_nothing_is_of_a_class(images: np.ndarray, variational: bool) -> None:
    network = make_network(variational=variational)
    latents, drawn = explore(network, images, None, 0, SETTINGS, seed=0)
    assert latents.keys() == ({"mean", "logvar"} if variational else {"mean"})
    assert drawn.keys() == BOTH - {"class_digits", "interpolation"}
    start = latents["mean"].mean(0)
    moved = np.tile(start, (4, 5, 1))
    for row, dim in enumerate(drawn["traversal_dims"]):
        moved[row, :, dim] = drawn["traversal_values"][row]
    np.testing.assert_array_equal(drawn["traversals"], to_bytes(decode(network, moved)))


def test_the_corners_are_the_digits_asked_for(explored: tuple[Arrays, Arrays]) -> None:
    digits, grid = (explored[1][name].astype(int) for name in ("class_digits", "interpolation"))
    for place, digit in (((-1, -1), 2), ((0, -1), 4), ((-1, 0), 5), ((0, 0), 6)):
        assert np.abs(grid[place] - digits[digit]).max() <= 1
    assert np.abs(digits[2] - digits[4]).max() > 1


def test_traversals_start_from_the_first_class_of_the_interpolation(
    network: VAE, explored: tuple[Arrays, Arrays]
) -> None:
    encoded, drawn = explored
    means, _ = class_posteriors(encoded["mean"], None, LABELS, 10)
    latents = np.tile(means[2], (4, 5, 1))
    for row, dim in enumerate(drawn["traversal_dims"]):
        latents[row, :, dim] = drawn["traversal_values"][row]
    np.testing.assert_array_equal(drawn["traversals"], to_bytes(decode(network, latents)))
    assert np.ptp(drawn["traversals"].astype(int), axis=1).max() > 1


def test_an_autoencoders_class_latents_are_the_class_means(images: np.ndarray) -> None:
    network = make_network(variational=False)
    latents, _ = explore(network, images, LABELS, 10, SETTINGS, seed=0)
    means, _ = class_posteriors(latents["mean"], None, LABELS, 10)
    np.testing.assert_array_equal(latents["class_latents"], means)


def test_a_seed_decides_what_is_drawn_and_nothing_else(
    network: VAE, images: np.ndarray, explored: tuple[Arrays, Arrays]
) -> None:
    again, other = (explore(network, images, LABELS, 10, SETTINGS, seed) for seed in (0, 1))

    def changed(ours: tuple[Arrays, Arrays]) -> list[set[str]]:
        pairs = zip(ours, explored, strict=True)
        return [{n for n in one if not np.array_equal(one[n], two[n])} for one, two in pairs]

    assert changed(again) == [set(), set()]
    drawn = {"class_digits", "interpolation"}
    assert changed(other) == [{"class_latents"}, drawn]


# --- Settings -------------------------------------------------------------------------------------

VALID = {"first_pair": 0, "interpolate": [0, 9, 3, 3], "steps": 2, "manifold_steps": 50}


@pytest.mark.parametrize(
    "change", [{}, {"first_pair": 10_000_000}, {"steps": 50, "manifold_steps": 2}]
)
def test_settings(change: dict[str, Any]) -> None:
    settings = msgspec.structs.asdict(check(VALID | change, EncodeSettings, "encode"))
    assert settings == VALID | change | {"interpolate": (0, 9, 3, 3)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first_pair": -1}, "first_pair: found -1, must be from 0 to 10000000"),
        ({"first_pair": 10_000_001}, "first_pair: found 10000001"),
        ({"interpolate": [1, 2, 3]}, "interpolate: found 3 values, must be 4"),
        ({"interpolate": [1, 2, 3, 4, 5]}, "interpolate: found 5 values, must be 4"),
        ({"interpolate": [1, 2, 3, 100]}, "interpolate[3]: found 100, must be from 0 to 99"),
        ({"interpolate": 2456}, "interpolate: found 2456, must be a list"),
        ({"steps": 1}, "steps: found 1, must be from 2 to 50"),
        ({"manifold_steps": 51}, "manifold_steps: found 51, must be from 2 to 50"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check(VALID | change, EncodeSettings, "encode")
    assert str(error.value).startswith(f"encode.{message}")
