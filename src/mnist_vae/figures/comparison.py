"""All models in one figure: errors, losses, rates, and the plane of rate and distortion.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import COLOURS, INK, MARKERS

Look = tuple[str, str]
"""Colour and marker of a model, the same in all figures."""


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Of each model, by its place among all."""
    return {
        name: (COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)])
        for index, name in enumerate(names)
    }


def draw_errors(
    ax: Axes, look: Mapping[str, Look], dims: Mapping[str, int], errors: Mapping[str, float]
) -> None:
    """The squared error of each model over its latent dimensions, equals beside each other."""
    drawn: dict[str, Artist] = {}
    for index, (name, error) in enumerate(errors.items()):
        same = [other for other in errors if dims[other] == dims[name]]
        shift = same.index(name) - (len(same) - 1) / 2
        colour, marker = look[name]
        x = dims[name] * 2 ** (0.16 * shift)
        drawn[name] = ax.scatter(x, error, s=60, color=colour, marker=marker, zorder=3 + index)
    shown = sorted({dims[name] for name in errors})
    ax.set_xscale("log", base=2)
    ax.set_xticks(shown, [str(each) for each in shown])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(0.6 * shown[0], shown[-1] / 0.6)
    ax.set(xlabel="latent dimensions", ylabel="squared error per test image", ylim=(0, None))
    ax.grid(alpha=0.3)
    _legend(ax, drawn)


def draw_losses(ax: Axes, look: Mapping[str, Look], curves: Mapping[str, np.ndarray]) -> None:
    """The squared error in training of each model over epochs from 1 on, [E] each."""
    drawn: dict[str, Artist] = {}
    for name, losses in curves.items():
        check_shape("losses", losses, None)
        colour, marker = look[name]
        marker = marker if len(losses) <= 40 else ""
        epochs = np.arange(1, len(losses) + 1)
        (drawn[name],) = ax.plot(epochs, losses, color=colour, marker=marker, markersize=5)
    everything = np.concatenate(list(curves.values()))
    if 0 < 5 * everything.min() < everything.max():
        log_scale(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="epoch", ylabel="squared error per image")
    ax.grid(alpha=0.3)
    _legend(ax, drawn)


def draw_rates(ax: Axes, look: Mapping[str, Look], rates: Mapping[str, np.ndarray]) -> None:
    """The rate in nats of each latent dimension [D] of each VAE, the largest first."""
    drawn: dict[str, Artist] = {}
    for name, each in rates.items():
        check_shape("rates", each, None)
        colour, marker = look[name]
        places = np.arange(1, len(each) + 1)
        (drawn[name],) = ax.plot(
            places, np.sort(each)[::-1], color=colour, marker=marker, markersize=5
        )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="latent dimensions, largest rate first", ylabel="rate in nats", ylim=(0, None))
    ax.grid(alpha=0.3)
    _legend(ax, drawn)


def draw_rate_distortion(
    ax: Axes,
    look: Mapping[str, Look],
    points: Mapping[str, tuple[float, float]],
    lines: Mapping[str, float],
) -> None:
    """VAEs as points of rate and distortion, autoencoders as lines: they have no rate.

    Rates are in nats, distortions are squared errors, both per image.
    """
    drawn: dict[str, Artist] = {}
    for name, point in points.items():
        colour, marker = look[name]
        drawn[name] = ax.scatter(*point, s=60, color=colour, marker=marker, zorder=4)
    for name, error in lines.items():
        drawn[name] = ax.axhline(error, color=look[name][0], linestyle="--", linewidth=1.4)
    ax.grid(alpha=0.3)
    ax.margins(0.15)
    ax.set(xlim=(0, None), ylim=(0, 1.2 * ax.get_ylim()[1]))  # room for the arrow
    ax.set(xlabel="rate: KL in nats per image", ylabel="distortion: error of a draw")
    arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.4}
    ax.annotate(
        "better",
        (0.82, 0.8),
        (0.97, 0.97),
        xycoords="axes fraction",
        ha="right",
        va="top",
        arrowprops=arrow,
    )
    _legend(ax, drawn)


def log_scale(ax: Axes) -> None:
    """A log scale whose ticks a person can read."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _legend(ax: Axes, drawn: Mapping[str, Artist]) -> None:
    """The names of what was drawn, below the Axes where they cover nothing."""
    # Given as labels: handles whose own label begins with an underscore would be left out.
    ax.figure.legend(
        list(drawn.values()), list(drawn), loc="outside lower center", ncols=3, frameon=False
    )
