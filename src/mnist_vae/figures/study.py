"""The figures of a study: every seed a dot, the interval of their mean a band.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import NullFormatter, NullLocator

from mnist_vae.figures.comparison import log_scale
from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import COLOURS, INK, MARKERS, STYLE, canvas
from mnist_vae.files.store import Arrays
from mnist_vae.study.answer import vae_against_autoencoder
from mnist_vae.study.summary import is_sweep, models, select, spread

HEIGHT = 3.4  # inches


def draw_against_dims(
    ax: Axes,
    names: Sequence[str],
    dims: np.ndarray,
    scores: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> None:
    """Scores of models over the number of latent dimensions [D], on a scale of doublings.

    ``scores`` [M, D, S] of each seed; their means are joined, within ``low`` and ``high`` [M, D].
    Of two numbers of dimensions or one nothing is joined: each has its interval. What is NaN is
    left out. Dots of models stand a little beside each other, so that none hides another; lines
    and bands are where they belong.
    """
    check_shape("dims", dims, None)
    check_shape("scores", scores, len(names), len(dims), None)
    for name, ends in (("low", low), ("high", high)):
        check_shape(name, ends, len(names), len(dims))
    for index, name in enumerate(names):
        known = ~np.isnan(scores[index]).all(axis=1)
        if not known.any():
            continue
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        places = dims[known]
        means = np.nanmean(scores[index, known], axis=1)
        lower, upper = low[index, known], high[index, known]
        beside = 2 ** (0.08 * (index - (len(names) - 1) / 2))
        if len(dims) > 2:
            ax.plot(places, means, color=colour, linewidth=1.2)
            ax.fill_between(places, lower, upper, color=colour, alpha=0.25, linewidth=0)
        else:
            around = np.stack([means - lower, upper - means])
            ax.errorbar(places * beside**3, means, around, fmt="_", color=colour, capsize=4)
        places = places * beside
        ax.scatter(
            np.repeat(places, scores.shape[2]),
            scores[index, known].ravel(),
            s=12,
            color=colour,
            marker=marker,
            linewidth=0,
            zorder=3,
            label=name,
        )
    _scale_of_dims(ax, dims)
    if ax.collections:
        ax.legend(frameon=False)


def draw_differences(
    ax: Axes, dims: np.ndarray, differences: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Differences of two models in percent over the number of latent dimensions [D].

    ``differences`` [D, S] of each seed, NaN where there is none, with the interval of their mean.
    """
    check_shape("dims", dims, None)
    check_shape("differences", differences, len(dims), None)
    for name, ends in (("low", low), ("high", high)):
        check_shape(name, ends, len(dims))
    means = np.nanmean(differences, axis=1)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.errorbar(
        dims,
        means,
        yerr=np.stack([means - low, high - means]),
        fmt="_",
        color=COLOURS[0],
        capsize=4,
        label="mean, with its interval",
    )
    places = np.repeat(dims, differences.shape[1]) * 2**0.15
    ax.scatter(places, differences.ravel(), s=10, color=INK, zorder=3, label="each seed")
    _scale_of_dims(ax, dims)
    ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))


def _scale_of_dims(ax: Axes, dims: np.ndarray) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(dims, [str(d) for d in dims.tolist()])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(alpha=0.3)
    ax.set(xlabel="latent dimensions")


def draw_sweep(
    ax: Axes,
    label: str,
    weights: np.ndarray,
    rates: np.ndarray,
    distortions: np.ndarray,
    style: int = 0,
    colour: str = "",
    apart: tuple[float, float] = (0.0, 0.0),
) -> None:
    """A curve in the plane of rate and distortion, through the means of KL weights [W].

    ``rates`` in nats and ``distortions``, squared errors per image, [W, S]: a dot for each seed.
    ``style`` tells one curve from another, unless all have one ``colour``. The weights stand beside
    the points, those at the ends first, and none that is nearer to another than ``apart``.
    """
    check_shape("rates", rates, len(weights), None)
    check_shape("distortions", distortions, *rates.shape)
    colour, marker = colour or COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    order = np.argsort(weights)
    centres = rates.mean(1)[order], distortions.mean(1)[order]
    ax.plot(*centres, color=colour, linewidth=1.2)
    ax.scatter(
        rates, distortions, s=14, color=colour, marker=marker, linewidth=0, zorder=3, label=label
    )
    points = list(zip(weights[order].tolist(), *centres, strict=True))
    named = [text.xy for text in ax.texts if isinstance(text, Annotation)]  # of other curves
    for weight, rate, distortion in [*points[:1], *points[:0:-1]]:
        if any(abs(rate - x) < apart[0] and abs(distortion - y) < apart[1] for x, y in named):
            continue
        named.append((rate, distortion))
        ax.annotate(
            f"{weight:g}",
            (rate, distortion),
            (4, 4),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    ax.grid(alpha=0.3)
    ax.set_xlabel("rate: KL in nats per image")
    ax.set_ylabel("distortion: error of a draw")


def draw_error_against_seconds(
    ax: Axes, label: str, seconds: np.ndarray, errors: np.ndarray, style: int = 0
) -> None:
    """Squared errors on test images over the seconds that trainings took, [S] each: a dot each.

    ``style`` tells one recipe from another.
    """
    check_shape("seconds", seconds, None)
    check_shape("errors", errors, *seconds.shape)
    colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    ax.scatter(seconds, errors, s=24, color=colour, marker=marker, label=label)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(0.1)
    ax.grid(alpha=0.3)
    ax.set(xlabel="seconds of a training", ylabel="squared error per test image")


@matplotlib.rc_context(STYLE)
def of_grid(table: Arrays, benchmark: Mapping[str, Any]) -> list[tuple[str, Figure]]:
    """Names and figures of a grid, from the table that files.trials reads.

    ``benchmark`` is what reports/benchmark.json holds, or nothing.

    A sweep of KL weights has the plane of rate and distortion; any other grid has each metric of
    ``OVER_DIMS`` that was measured.
    """
    names = models(table)
    if is_sweep(table):
        figure = canvas(HEIGHT)
        ax = figure.subplots()
        draw_sweeps(ax, table)
        ax.legend(frameon=False)
        return [("rate_distortion", figure)]
    dims = np.unique(table["latent_dim"])
    figures = [*_differences(table), *_against_seconds(table, benchmark)]
    for metric, label in OVER_DIMS.items():
        if metric not in table or np.isnan(table[metric]).all():
            continue
        seeds = np.unique(table["seed"])
        scores = np.full((len(names), len(dims), len(seeds)), np.nan)
        for row, value in enumerate(table[metric]):
            place = (
                names.index(table["model"][row]),
                np.searchsorted(dims, table["latent_dim"][row]),
                np.searchsorted(seeds, table["seed"][row]),
            )
            scores[place] = value
        ends = np.full((2, len(names), len(dims)), np.nan)
        for place in np.ndindex(scores.shape[:2]):
            known = scores[place][~np.isnan(scores[place])]
            if len(known):
                ends[(slice(None), *place)] = spread(known)[-2:]
        figure = canvas(HEIGHT)
        ax = figure.subplots()
        draw_against_dims(ax, names, dims, scores, *ends)
        ax.set_ylabel(label)
        if np.nanmin(scores) > 0 and np.nanmax(scores) > 5 * np.nanmin(scores):
            log_scale(ax)
        figures.append((metric, figure))
    return figures


OVER_DIMS = {
    "squared_error": "squared error per test image",
    "probe_accuracy": "accuracy, %",
    "knn_accuracy": "accuracy, %",
    "kl": "KL in nats per image",
    "frechet_standard": "Fréchet distance",
    "frechet_mixture": "Fréchet distance",
    "frechet_classes": "Fréchet distance",
}
"""Metrics to draw over the number of latent dimensions, with the label of their axis."""


def _differences(table: Arrays) -> list[tuple[str, Figure]]:
    """The figure of what ``answer`` says, where it can say something."""
    found = vae_against_autoencoder(table)
    if not found:
        return []
    autoencoder = str(table["model"][table["kind"] == "ae"][0])
    errors = [select(table, autoencoder, each.dims)["squared_error"].mean() for each in found]
    percent = 100 / np.array(errors)
    values = np.full((len(found), max(len(each.values) for each in found)), np.nan)
    for row, each in zip(values, found, strict=True):
        row[: len(each.values)] = each.values
    figure = canvas(HEIGHT)
    ax = figure.subplots()
    draw_differences(
        ax,
        np.array([each.dims for each in found]),
        values * percent[:, None],
        np.array([each.difference.low for each in found]) * percent,
        np.array([each.difference.high for each in found]) * percent,
    )
    ax.set_ylabel("squared error of the VAE, % above\nthat of the autoencoder")
    return [("difference", figure)]


def _against_seconds(table: Arrays, benchmark: Mapping[str, Any]) -> list[tuple[str, Figure]]:
    """What the notebook's recipe takes and gives, where a grid is by it, beside the fast one's.

    Of a VAE of the most dimensions that the benchmark has timed too.
    """
    timed = [d for d in np.unique(table["latent_dim"]).tolist() if f"vae{d}" in benchmark]
    variational = table["model"][table["kind"] == "vae"]
    if not timed or not len(variational) or set(table["recipe"].tolist()) != {"notebook"}:
        return []
    errors = select(table, str(variational[0]), timed[-1])["squared_error"]
    row = benchmark[f"vae{timed[-1]}"]
    series = {
        f"notebook's recipe, {len(errors)} seeds": (
            np.full(len(errors), benchmark["notebook_300_epochs_seconds"]),
            errors,
        ),
        f"fast recipe, mean of {row['seconds']['runs']}": (
            np.array([row["seconds"]["mean"]]),
            np.array([row["test_squared_error"]["mean"]]),
        ),
    }
    figure = canvas(HEIGHT)
    ax = figure.subplots()
    for index, (name, (seconds, scores)) in enumerate(series.items()):
        draw_error_against_seconds(ax, name, seconds, scores, index)
    ax.legend(frameon=False)
    ax.set_title(f"{timed[-1]} latent dimensions")
    return [("error_against_seconds", figure)]


def draw_sweeps(ax: Axes, table: Arrays, colour: str = "") -> None:
    """The curve of KL weights at each number of dimensions of a sweep."""
    apart = 0.08 * table["kl"].max(), 0.08 * table["squared_error_sampled"].max()
    for index, dims in enumerate(np.unique(table["latent_dim"]).tolist()):
        rows = [select(table, name, dims) for name in models(table)]
        draw_sweep(
            ax,
            f"{dims} dimensions",
            np.array([row["kl_weight"][0] for row in rows]),
            np.stack([row["kl"] for row in rows]),
            np.stack([row["squared_error_sampled"] for row in rows]),
            index,
            colour,
            apart,
        )
