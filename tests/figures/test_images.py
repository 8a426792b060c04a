"""Sheets of images: what stands where, and what the ticks and corners say of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.drawings import make_digits, texts

from mnist_vae.figures.images import (
    draw_classes_decoded,
    draw_interpolation,
    draw_manifold,
    draw_reconstructions,
    draw_rows,
)


def test_images_that_are_not_bytes_are_refused(ax: Any) -> None:
    with pytest.raises(ValueError, match="float64, must be uint8"):
        draw_classes_decoded(ax, make_digits(10) / 255, "0123456789", "gray")


def test_colour_images_are_drawn_as_they_are(ax: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 8, 8), np.uint8)
    draw_classes_decoded(ax, images, ["cat", "dog", "owl"], "viridis")
    sheet = np.asarray(ax.images[0].get_array())
    for column in range(3):
        tile = sheet[:8, 10 * column : 10 * column + 8, :3]
        np.testing.assert_array_equal(tile, np.moveaxis(images[column], 0, -1))
    assert texts(ax.get_xticklabels()) == ["cat", "dog", "owl"]


@pytest.mark.parametrize(("count", "rows"), [(2, 1), (10, 1), (11, 2), (100, 10)])
def test_classes_stand_ten_a_row_below_their_names(ax: Any, count: int, rows: int) -> None:
    names = [f"class {label}" for label in range(count)]
    draw_classes_decoded(ax, make_digits(count), names, "gray")
    height = np.asarray(ax.images[0].get_array()).shape[0]
    assert height == (28 if rows == 1 else rows * (28 + 2 + 18) - 20)
    shown = texts(ax.get_xticklabels() if rows == 1 else ax.texts)
    assert shown == names


@pytest.mark.parametrize("count", [10, 13])
def test_what_classes_are_read_as_stands_below_those_that_are_misread(ax: Any, count: int) -> None:
    names, read = [f"class {label}" for label in range(count)], np.arange(count)
    read[[2, 7]] = 5, 0
    draw_classes_decoded(ax, make_digits(count), names, "gray", read)
    below = {text.get_text(): text.get_position() for text in ax.texts if "read" in str(text)}
    assert list(below) == ["read\nclass 5", "read\nclass 0"]
    assert below["read\nclass 5"] == (2 * 30 + 13.5, 13.5 + 0.55 * 28)


def test_rows_of_classes_bear_their_names(ax: Any) -> None:
    images = make_digits(3, 5)
    draw_rows(ax, images, ["cat", "dog", "an owl with a long name"], "gray")
    assert texts(ax.get_yticklabels()) == ["cat", "dog", "an owl…name"]
    sheet = np.asarray(ax.images[0].get_array())[..., 0]
    np.testing.assert_allclose(sheet[30:58, 60:88], images[1, 2, 0], atol=1)


def test_large_images_stand_five_pairs_a_row(ax: Any) -> None:
    images = np.zeros((7, 3, 128, 128), np.uint8)
    draw_reconstructions(ax, images, images, 10, "gray")
    assert texts(ax.get_yticklabels()) == ["10", "15"]
    sheet = np.asarray(ax.images[0].get_array())
    assert sheet.shape == (2 * 128 + 7, 5 * (2 * 128 + 1) + 4 * 7, 4)
    assert (sheet[-1, -200:, 3] == 0).all()  # three places of the second row are empty


def test_an_interpolation_has_room_for_words(ax: Any) -> None:
    names = ["cat", "dog", "owl", "a name of more than twenty-four letters"]
    draw_interpolation(ax, make_digits(3, 3), names, "gray")
    corners = {text.get_text(): np.round(text.get_position()).tolist() for text in ax.texts}
    assert corners["dog"] == [1, 1]
    assert corners["owl"] == [0, 0]
    assert 15 < max(map(len, corners)) <= 18


def test_pairs_stand_closer_than_their_neighbours(ax: Any) -> None:
    black = np.zeros((20, 1, 28, 28), np.uint8)
    draw_reconstructions(ax, black, black, 200, "gray")
    row = np.asarray(ax.images[0].get_array())[5, :, 3]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    gaps = starts[1:] - ends[:-1]
    assert len(starts) == 20
    assert set(gaps[::2]) == {1}
    assert min(gaps[1::2]) > 4
    assert texts(ax.get_yticklabels()) == ["200", "210"]


def test_an_interpolation_names_its_corners(ax: Any) -> None:
    images = make_digits(11, 11)
    draw_interpolation(ax, images, ["2", "4", "5", "6"], "gray")
    # α₁ grows downwards and α₂ to the right: a=2 where both are 1, d=6 where both are 0.
    corners = {text.get_text(): tuple(np.round(text.get_position())) for text in ax.texts}
    assert corners == {"2": (1, 0), "4": (1, 1), "5": (0, 0), "6": (0, 1)}
    sheet = np.asarray(ax.images[0].get_array())[..., 0]
    assert sheet.shape == (11 * 28, 11 * 28)
    assert np.allclose(sheet[:28, -28:], images[0, 10, 0], atol=1)
    assert np.allclose(sheet[-28:, :28], images[10, 0, 0], atol=1)


def test_the_latent_plane_has_its_coordinates_on_the_axes(ax: Any) -> None:
    draw_manifold(ax, make_digits(7, 5), np.linspace(-1, 1, 5), np.linspace(6, -6, 7), "gray")
    down = dict(zip(texts(ax.get_yticklabels()), ax.get_yticks(), strict=True))
    across = dict(zip(texts(ax.get_xticklabels()), ax.get_xticks(), strict=True))
    assert [down["6"], down["−6"]] == pytest.approx([13.5, 13.5 + 6 * 28])
    assert [across["−1"], across["0"]] == pytest.approx([13.5, 13.5 + 2 * 28])
