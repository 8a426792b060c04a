"""Maps: the colours of the points, and names that stand where they belong and do not collide."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from support.drawings import CLASSES, TAB10, texts

from mnist_vae.figures.maps import draw_classes, draw_map, draw_names


def test_a_map_colours_points_by_label_beside_a_legend(ax: Any) -> None:
    points, labels = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 10
    draw_map(ax, points, labels, CLASSES, 3)
    (dots,) = ax.collections
    assert dots.get_rasterized()
    assert np.allclose(dots.get_offsets(), points)
    assert [to_hex(colour) for colour in dots.get_facecolor()] == [TAB10[k] for k in labels]
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().x0 > ax.get_window_extent().x1


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


@pytest.mark.parametrize("scale", [0.0, 0.01, 1.0, 30.0])
def test_labels_of_class_points_do_not_collide(ax: Any, scale: float) -> None:
    rng = np.random.default_rng(0)
    draw_map(ax, rng.uniform(-50, 50, (500, 2)), np.arange(500) % 10, CLASSES, 3)
    points = scale * rng.normal(size=(10, 2))
    draw_classes(ax, points, CLASSES)
    assert [to_hex(colour) for colour in ax.collections[-1].get_facecolor()] == TAB10
    assert texts(ax.texts) == [str(digit) for digit in range(10)]
    places = np.array([text.get_position() for text in ax.texts])
    apart = 0.95 * 0.06 * 100
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2)) > apart
    assert np.linalg.norm(places[:, None] - points, axis=2).min() > apart
