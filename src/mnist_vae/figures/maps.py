"""Maps of latents: each image a point in the colour of its class.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import BLUE, INK, Classes, shorten

MANY = 10_000  # points that are drawn as small as the settings say, or more
LISTED = 20  # classes with large names at most: more colours cannot be told apart
OPACITY = 0.75  # of points, so that many on one place are no blob


def draw_map(
    ax: Axes,
    points: np.ndarray,
    labels: np.ndarray | None,
    classes: Classes | None,
    size: float,
    names: tuple[str, str] | None = None,
) -> None:
    """Points [N, 2] in the colours of their labels [N].

    Without ``classes`` all have one colour. ``names`` are what the two axes mean: then the square
    that is shown leaves out outliers, at most 1% of the points, and says how many. Without names
    the map has no scale (t-SNE) and no outliers.
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
    ax.scatter(
        x, y, size, colours, linewidths=0, antialiaseds=False, rasterized=True, alpha=OPACITY
    )
    if names is None:
        show_square(ax, points)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        return
    show_square(ax, np.quantile(points, [0.0025, 0.9975], axis=0))
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.grid(alpha=0.3)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    outside = int(((x < left) | (x > right) | (y < bottom) | (y > top)).sum())
    if outside:
        ax.set_title(f"{outside:,} of {len(points):,} lie outside", loc="right")


def draw_circles(ax: Axes) -> None:
    """The prior N(0, I) on a plane that is already drawn: circles at 1, 2 and 3 sigma."""
    for sigma in (1, 2, 3):
        ax.add_patch(Circle((0, 0), sigma, fill=False, color=INK, linewidth=1.4))


def draw_names(ax: Axes, points: np.ndarray, labels: np.ndarray, classes: Classes) -> None:
    """The name of each class in the middle of its points [N, 2], whose labels are [N]."""
    check_shape("points", points, None, 2)
    check_shape("labels", labels, len(points))
    present = np.unique(labels)
    middles = np.array([_middle(points[labels == label]) for label in present])
    # Where two classes share their middle, their names stand side by side.
    places = _spread_names(ax, middles, 0.07, classes)
    for label, place in zip(present, places, strict=True):
        _write_name(ax, place, classes, label)


def draw_classes(ax: Axes, points: np.ndarray, classes: Classes) -> None:
    """A point [K, 2] of its colour for each class on a map already drawn, its name beside it.

    Without names where there are more classes than ``LISTED``.
    """
    check_shape("class points", points, len(classes.names), 2)
    x, y = points.T
    for size, colour in ((80, "white"), (55, "black")):  # a ring around each
        ax.scatter(x, y, size, c=colour, linewidths=0, zorder=4, rasterized=True)
    ax.scatter(x, y, 24, c=list(classes.colours), linewidths=0, zorder=4, rasterized=True)
    if len(classes.names) > LISTED:
        return
    places = _spread_names(ax, points, 0.08, classes, beside=True)
    for label, (point, place) in enumerate(zip(points, places, strict=True)):
        (leader,) = ax.plot(*zip(point, place, strict=True), color="black", linewidth=1, zorder=3)
        leader.set_path_effects([withStroke(linewidth=2.5, foreground="white")])
        _write_name(ax, place, classes, label)


def _write_name(ax: Axes, place: np.ndarray, classes: Classes, label: int) -> None:
    """The name of a class on a map, on a ground of its own that lifts it off the points."""
    size, longest = _font(classes)
    name = shorten(classes.names[label], longest)
    text = ax.text(place[0], place[1], name, zorder=5, fontsize=size)
    text.set(color="white", fontweight="bold", ha="center", va="center")
    text.set_bbox({"facecolor": "#30363b", "linewidth": 0, "pad": 1.5, "alpha": 0.85})


def _font(classes: Classes) -> tuple[int, int]:
    """Size and letters of names: the smaller the longer names are, and the more there are."""
    if classes.short:
        return 11, 2
    return (9, 14) if len(classes.names) <= LISTED else (7, 10)


def show_square(ax: Axes, points: np.ndarray) -> None:
    """Show a square with the same scale in both directions, just large enough for the points."""
    low, high = points.min(0), points.max(0)
    half = 0.52 * max((high - low).max(), 1e-6)
    (left, bottom), (right, top) = (low + high) / 2 - half, (low + high) / 2 + half
    ax.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")


def _spread_names(
    ax: Axes, points: np.ndarray, apart: float, classes: Classes, *, beside: bool = False
) -> np.ndarray:
    """Places [N, 2] for the names of points [N, 2], so far apart that they can be read.

    ``apart`` is the part of the side that is shown, for names of a single letter.
    """
    left, right = ax.get_xlim()
    apart *= right - left
    if classes.short:
        return _spread(points, apart, beside=beside)
    size, longest = _font(classes)
    # Words are wider than high: they are pushed in units in which they are not, and stay inside.
    letters = min(longest, max(map(len, classes.names)))
    apart, wide = apart * size / 11, np.array([0.5 * letters, 1])
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
