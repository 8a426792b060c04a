"""Maps: the colours of the points, and names that stand where they belong and do not collide."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from support.drawings import CLASSES, TAB10, texts

from mnist_vae.figures.maps import draw_circles, draw_classes, draw_map, draw_names
from mnist_vae.figures.palette import colours
from mnist_vae.figures.style import BLUE, Classes


def test_a_map_colours_points_by_label(ax: Any) -> None:
    points, labels = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 10
    draw_map(ax, points, labels, CLASSES, 3)
    (dots,) = ax.collections
    assert dots.get_rasterized()
    assert dots.get_alpha() < 1
    assert np.allclose(dots.get_offsets(), points)
    assert [to_hex(colour) for colour in dots.get_facecolor()] == [TAB10[k] for k in labels]


def test_a_plane_leaves_out_outliers_and_counts_them(ax: Any) -> None:
    points = np.random.default_rng(0).normal(size=(1000, 2))
    points[:3] = [[90, 0], [0, -80], [-70, 70]]
    draw_map(ax, points, None, None, 3, ("x", "y"))
    assert max(*ax.get_xlim(), *ax.get_ylim()) < 10
    outside = int(ax.get_title("right").removesuffix(" of 1,000 lie outside"))
    assert 3 <= outside <= 10
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
    assert outside == ((points < low) | (points > high)).any(axis=1).sum()


def test_a_map_without_a_scale_shows_all_points(ax: Any) -> None:
    draw_map(ax, np.array([[0.0, 0], [90, 0], [0, 1]]), None, None, 3)
    assert ax.get_xlim()[1] > 90
    assert not ax.get_title("right")


def test_the_prior_has_three_circles(ax: Any) -> None:
    draw_circles(ax)
    assert [circle.get_radius() for circle in ax.patches] == [1, 2, 3]


def test_a_class_is_named_where_its_points_are(ax: Any) -> None:
    # Class 0 is a ring: its mean and its median lie in the hole, where class 1 is.
    turn = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    ring = 10 * np.stack([np.cos(turn), np.sin(turn)], 1)
    points, labels = np.concatenate([ring, np.zeros((5, 2))]), np.repeat([0, 1], [50, 5])
    draw_map(ax, points, labels, CLASSES, 3)
    draw_names(ax, points, labels, CLASSES)
    places = {text.get_text(): np.array(text.get_position()) for text in ax.texts}
    assert places.keys() == {"0", "1"}
    assert np.linalg.norm(ring - places["0"], axis=1).min() < 0.5
    assert np.linalg.norm(places["1"]) < 0.5


def words(count: int) -> Classes:
    names = tuple(f"a long name of class {label}" for label in range(count))
    return Classes("class", names, colours(TAB10, count))


@pytest.mark.parametrize("count", [2, 20, 21, 100])
def test_names_that_are_words_are_shortened_and_stay_inside(ax: Any, count: int) -> None:
    labels = np.arange(300) % count
    points = np.random.default_rng(0).normal(size=(300, 2))
    draw_map(ax, points, labels, words(count), 3)
    draw_names(ax, points, labels, words(count))
    shown = texts(ax.texts)
    assert len(set(shown)) == count  # the ends tell them apart
    places = np.array([text.get_position() for text in ax.texts])
    assert (places > [ax.get_xlim()[0], ax.get_ylim()[0]]).all()
    assert (places < [ax.get_xlim()[1], ax.get_ylim()[1]]).all()


def test_without_classes_all_points_have_one_colour(ax: Any) -> None:
    draw_map(ax, np.random.default_rng(0).normal(size=(30, 2)), None, None, 3)
    (dots,) = ax.collections
    assert {to_hex(colour) for colour in dots.get_facecolor()} == {BLUE}


@pytest.mark.parametrize(("count", "size"), [(20_000, 3), (10_000, 3), (2_500, 6), (1, 48)])
def test_fewer_points_are_larger(ax: Any, count: int, size: float) -> None:
    draw_map(ax, np.zeros((count, 2)), None, None, 3)
    (dots,) = ax.collections
    assert dots.get_sizes().tolist() == [size]


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 30.0])
def test_labels_of_class_points_do_not_collide(ax: Any, scale: float) -> None:
    rng = np.random.default_rng(0)
    draw_map(ax, rng.uniform(-50, 50, (500, 2)), np.arange(500) % 10, CLASSES, 3)
    points = scale * rng.normal(size=(10, 2))
    draw_classes(ax, points, CLASSES)
    assert [to_hex(colour) for colour in ax.collections[-1].get_facecolor()] == TAB10
    assert texts(ax.texts) == [str(digit) for digit in range(10)]
    places = np.array([text.get_position() for text in ax.texts])
    apart = 0.95 * 0.08 * 100
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2)) > apart
    assert np.linalg.norm(places[:, None] - points, axis=2).min() > apart
