"""Maps of latents: each image a point in the colour of its class.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import BLUE, Classes, shorten

MANY = 10_000  # points that are drawn as small as the settings say, or more
LISTED = 20  # classes in a legend at most: more colours cannot be told apart


def draw_map(
    ax: Axes,
    points: np.ndarray,
    labels: np.ndarray | None,
    classes: Classes | None,
    size: float,
    names: tuple[str, str] | None = None,
) -> None:
    """Points [N, 2] in the colours of their labels [N], with a legend beside the Axes.

    Without ``classes`` all have one colour; of more than ``LISTED`` there is no legend. ``names``
    are what the two axes mean; without them the map has no scale (t-SNE).
    """
    check_shape("points", points, None, 2)
    colours: np.ndarray | str = BLUE
    if classes and labels is not None:
        check_shape("labels", labels, len(points))
        colours = np.array([to_rgb(colour) for colour in classes.colours])[labels]
    x, y = points.T
    # Fewer points are larger, else a few dozen would not be seen.
    size = size * min(16.0, max(1.0, math.sqrt(MANY / len(points))))
    # Hard edges: smoothed ones only make the file several times as large.
    ax.scatter(x, y, size, colours, linewidths=0, antialiaseds=False, rasterized=True)
    show_square(ax, points)
    if names is None:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    else:
        ax.set(xlabel=names[0], ylabel=names[1])
    if classes is None or len(classes.names) > LISTED:
        return
    dots: list[Artist] = [
        Line2D([], [], color=colour, marker="o", markersize=11, linestyle="")
        for colour in classes.colours
    ]
    # Given as labels: handles whose own label begins with an underscore would be left out.
    texts = [shorten(name, 12) for name in classes.names]
    legend = ax.legend(
        dots,
        texts,
        title=classes.noun,
        fontsize=11 if classes.short else 9,
        handletextpad=0.2,
        frameon=False,
    )
    legend.set_loc("center left")
    legend.set_bbox_to_anchor((1, 0.5))


def draw_names(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Classes) -> None:
    """The name of each class in the middle of its points [N, 2], whose labels are [N]."""
    check_shape("points", points, None, 2)
    check_shape("labels", labels, len(points))
    present = np.unique(labels)
    middles = np.array([_middle(points[labels == label]) for label in present])
    # Where two classes share their middle, their names stand side by side.
    places = _spread_names(ax, middles, 0.05, classes)
    for label, place in zip(present, places, strict=True):
        _write_name(ax, place, classes, label)


def draw_classes(ax: Axes, points: np.ndarray, classes: Classes) -> None:
    """A point [K, 2] of its colour for each class on a map already drawn, its name beside it.

    Without names where there are more classes than ``LISTED``.
    """
    check_shape("class points", points, len(classes.names), 2)
    x, y = points.T
    for size, colour in ((130, "white"), (90, "black")):  # a ring around each
        ax.scatter(x, y, size, c=colour, linewidths=0, zorder=4, rasterized=True)
    ax.scatter(x, y, 40, c=list(classes.colours), linewidths=0, zorder=4, rasterized=True)
    if len(classes.names) > LISTED:
        return
    places = _spread_names(ax, points, 0.06, classes, beside=True)
    for label, (point, place) in enumerate(zip(points, places, strict=True)):
        (leader,) = ax.plot(*zip(point, place, strict=True), color="black", linewidth=1, zorder=3)
        leader.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        _write_name(ax, place, classes, label)


def _write_name(ax: Axes, place: np.ndarray, classes: Classes, label: int) -> None:
    """The name of a class on a map."""
    size, longest = _font(classes)
    halo_text(ax, place, shorten(classes.names[label], longest), fontsize=size)


def _font(classes: Classes) -> tuple[int, int]:
    """Size and letters of names: the smaller the longer names are, and the more there are."""
    if classes.short:
        return 16, 2
    return (11, 14) if len(classes.names) <= LISTED else (8, 10)


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


def _spread_names(
    ax: Axes, points: np.ndarray, apart: float, classes: Classes, *, beside: bool = False
) -> np.ndarray:
    """Places [N, 2] for the names of points [N, 2], so far apart that they can be read.

    ``apart`` is the part of the side that is shown, for names of a single letter.
    """
    apart *= shown_side(ax)
    if classes.short:
        return _spread(points, apart, beside=beside)
    size, longest = _font(classes)
    # Words are wider than high: they are pushed in units in which they are not, and stay inside.
    letters = min(longest, max(map(len, classes.names)))
    apart, wide = apart * size / 16, np.array([0.5 * letters, 1])
    low, high = np.transpose([ax.get_xlim(), ax.get_ylim()]) / wide
    inside = low + apart / 2, high - apart / 2
    return _spread(points / wide, apart, beside=beside, inside=inside) * wide


def _middle(points: np.ndarray) -> np.ndarray:
    """The one of points [N, 2] nearest to their median, so that it lies where they are."""
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    return points[distance.argmin()]


def _spread(
    points: np.ndarray,
    apart: float,
    *,
    beside: bool = False,
    inside: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Places [N, 2] for the labels of points [N, 2], pushed until they are ``apart``.

    With ``beside`` they keep that distance from the points too, and start on the outer side. They
    stay ``inside`` a lower left and an upper right corner, if these are given.
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
        if inside is not None:
            places = np.clip(places, *inside)
    return places
