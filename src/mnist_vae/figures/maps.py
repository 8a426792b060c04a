"""Maps of latents: each image a point in the colour of its digit.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import DIGITS


def draw_map(
    ax: Axes,
    points: np.ndarray,
    labels: np.ndarray,
    palette: Sequence[str],
    size: float,
    names: tuple[str, str] | None = None,
) -> None:
    """Points [N, 2] in the colours of their labels [N], with a legend beside the Axes.

    ``names`` are what the two axes mean; without them the map has no scale (t-SNE).
    """
    check_shape("points", points, None, 2)
    check_shape("labels", labels, len(points))
    colours = np.array([to_rgb(colour) for colour in palette])[labels]
    x, y = points.T
    # Hard edges: smoothed ones only make the file several times as large.
    ax.scatter(x, y, size, colours, linewidths=0, antialiaseds=False, rasterized=True)
    show_square(ax, points)
    if names is None:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    else:
        ax.set(xlabel=names[0], ylabel=names[1])
    dots: list[Artist] = [
        Line2D([], [], color=colour, marker="o", markersize=11, linestyle="", label=str(digit))
        for digit, colour in enumerate(palette)
    ]
    legend = ax.legend(handles=dots, title="digit", handletextpad=0.2, frameon=False)
    legend.set_loc("center left")
    legend.set_bbox_to_anchor((1, 0.5))


def draw_names(ax: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    """The digit of each class in the middle of its points [N, 2], whose labels are [N]."""
    check_shape("points", points, None, 2)
    check_shape("labels", labels, len(points))
    digits = np.unique(labels)
    middles = np.array([_middle(points[labels == digit]) for digit in digits])
    # Where two classes share their middle, their digits stand side by side.
    for digit, place in zip(digits, _spread(middles, 0.05 * shown_side(ax)), strict=True):
        halo_text(ax, place, str(digit))


def draw_classes(ax: Axes, points: np.ndarray, palette: Sequence[str]) -> None:
    """A point [10, 2] of its colour for each class on a map already drawn, its digit beside it."""
    check_shape("class points", points, DIGITS, 2)
    places = _spread(points, 0.06 * shown_side(ax), beside=True)
    x, y = points.T
    for size, colour in ((130, "white"), (90, "black")):  # a ring around each
        ax.scatter(x, y, size, c=colour, linewidths=0, zorder=4, rasterized=True)
    ax.scatter(x, y, 40, c=list(palette), linewidths=0, zorder=4, rasterized=True)
    for digit, (point, place) in enumerate(zip(points, places, strict=True)):
        (leader,) = ax.plot(*zip(point, place, strict=True), color="black", linewidth=1, zorder=3)
        leader.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        halo_text(ax, place, str(digit))


def halo_text(ax: Axes, place: Sequence[float] | np.ndarray, text: str, **font: Any) -> None:
    """Bold text at a place in the data, with a halo that lifts it off the points below."""
    font = {"fontsize": 16, "fontweight": "bold", **font}
    label = ax.text(place[0], place[1], text, zorder=5, **font)
    label.set(ha="center", va="center", path_effects=[withStroke(linewidth=3, foreground="white")])


def show_square(ax: Axes, points: np.ndarray) -> None:
    """Show a square with the same scale in both directions, just large enough for the points."""
    low, high = points.min(0), points.max(0)
    half = 0.52 * max((high - low).max(), 1e-6)
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def shown_side(ax: Axes) -> float:
    """The side of the square that is shown, in data coordinates."""
    left, right = ax.get_xlim()
    return right - left


def _middle(points: np.ndarray) -> np.ndarray:
    """The one of points [N, 2] nearest to their median, so that it lies where they are."""
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return points[distance.argmin()]


def _spread(points: np.ndarray, apart: float, *, beside: bool = False) -> np.ndarray:
    """Places [N, 2] for the labels of points [N, 2], pushed until they are ``apart``.

    With ``beside`` they keep that distance from the points too, and start on the outer side.
    """
    turn = 2 * np.pi * np.arange(len(points)) / len(points)
    outward = points - points.mean(0) + 1e-3 * apart * np.stack([np.cos(turn), np.sin(turn)], 1)
    outward *= apart / np.linalg.norm(outward, axis=1, keepdims=True)
    places = points + (outward if beside else 1e-3 * outward)
    for _ in range(500):
        others = np.concatenate([places, points]) if beside else places
        between = places[:, None] - others
        distance = np.linalg.norm(between, axis=2)
        short = np.clip(apart - distance, 0, None)
        np.fill_diagonal(short, 0)
        if short.max() < 0.01 * apart:
            break
        places = places + 0.5 * (between * (short / (distance + 1e-9))[..., None]).sum(1)
    return places
