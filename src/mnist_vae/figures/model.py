"""All figures of one model, from the arrays and facts that earlier stages saved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from mnist_vae import seeds
from mnist_vae.figures.images import (
    draw_classes_decoded,
    draw_interpolation,
    draw_manifold,
    draw_reconstructions,
    draw_rows,
    draw_samples,
    draw_traversals,
    misread_classes,
    pairs_in_row,
)
from mnist_vae.figures.maps import draw_classes, draw_map, draw_names
from mnist_vae.figures.posterior import draw_aggregate, draw_aggregate_plane, draw_rate
from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import (
    LATENT_AXES,
    NARROW,
    STYLE,
    WIDTH,
    Classes,
    Facts,
    FigureSettings,
    classes_of,
    number,
    titled_figure,
)
from mnist_vae.figures.training import draw_loss
from mnist_vae.latents.posteriors import sample
from mnist_vae.measure.rate import active, rate

Arrays: TypeAlias = Mapping[str, np.ndarray]
NamedFigures: TypeAlias = Iterator[tuple[str, Figure]]


@matplotlib.rc_context(STYLE)
def of_model(
    settings: FigureSettings,
    facts: Facts,
    curve: Arrays,
    latents: Arrays,
    images: Arrays,
    maps: Arrays,
    samples: Arrays,
) -> list[tuple[str, Figure]]:
    """Names and figures of one model.

    ``facts`` hold model, seed, epochs, dataset, classes, start, corners, method and perplexity.
    What a model lacks (an autoencoder its log-variance, all but a 2-d one their latent plane) has
    no figure, and without classes none is drawn of them. Raises ValueError for an array of the
    wrong shape.
    """
    classes = classes_of(settings, facts)
    return [
        *_loss(settings, facts, curve),
        *_images(settings, facts, classes, images, samples),
        *_samples(settings, facts, classes, samples),
        *_maps(settings, facts, classes, maps),
        *(_posterior(settings, facts, classes, latents) if "logvar" in latents else ()),
    ]


def _loss(settings: FigureSettings, facts: Facts, curve: Arrays) -> NamedFigures:
    epoch, loss = curve["epoch"], curve["loss"]
    check_shape("loss", loss, len(epoch))
    title, last_epochs = f"training loss, ending at {number(loss[-1], '.4g')}", settings.last_epochs
    if len(epoch) > last_epochs:
        figure, (whole, last) = titled_figure(facts, title, 3.5, ncols=2)
        draw_loss(last, epoch[-last_epochs:], loss[-last_epochs:])
        whole.set_title("whole run")
        last.set_title(f"last {last_epochs} epochs")
    else:
        figure, whole = titled_figure(facts, title, 3.5)
    draw_loss(whole, epoch, loss)
    yield "loss", figure


def _images(
    settings: FigureSettings,
    facts: Facts,
    classes: Classes | None,
    images: Arrays,
    samples: Arrays,
) -> NamedFigures:
    cmap, start = settings.colormap, facts["start"]
    columns = pairs_in_row(images["originals"])
    shown = slice(columns * columns)  # no more rows than columns
    originals, reconstructions = images["originals"][shown], images["reconstructions"][shown]
    title = f"reconstructions of test images {start}–{start + len(originals) - 1}"
    rows = math.ceil(len(originals) / columns)
    figure, ax = titled_figure(facts, title, 0.75 + 4 * rows / columns)
    draw_reconstructions(ax, originals, reconstructions, start, cmap)
    yield "reconstructions", figure

    if classes:
        drawn = "a draw from the mean posterior" if "standard" in samples else "the mean latent"
        rows, read = math.ceil(len(classes.names) / 10), samples.get("class_digits_read")
        height = 1.42 if rows == 1 else 0.6 + 1.05 * rows
        if misread_classes(classes.names, read):
            height += 0.25 * rows
        figure, ax = titled_figure(facts, f"{drawn} of each class, decoded", height)
        draw_classes_decoded(ax, images["class_digits"], classes.names, cmap, read)
        yield "class_digits", figure

        figure, ax = titled_figure(facts, "decoded between the latents of four classes", 8.3)
        names = [classes.names[label] for label in facts["corners"]]
        draw_interpolation(ax, images["interpolation"], names, cmap)
        yield "interpolation", figure

    if "manifold" in images:
        figure, ax = titled_figure(facts, "latent plane, decoded", 8.3)
        draw_manifold(ax, images["manifold"], images["manifold_x"], images["manifold_y"], cmap)
        yield "manifold", figure

    if "traversals" in images:
        rows, columns = images["traversals"].shape[:2]
        height = 1 + 0.77 * WIDTH * rows / columns  # beside the names of the rows
        start_of = "all images"
        if classes:
            name = classes.names[facts["corners"][0]]
            start_of = f"a {name}" if classes.noun == "digit" else name
        title = f"one latent dimension moved, the others as in the mean of {start_of}"
        figure, ax = titled_figure(facts, title, height)
        dims, values = images["traversal_dims"], images["traversal_values"]
        draw_traversals(ax, images["traversals"], dims, values, cmap)
        yield "traversals", figure


SAMPLED = {
    "real": "real test images",
    "standard": "N(0, I)",
    "gaussian": "a Gaussian",
    "mixture": "a mixture of Gaussians",
    "classes": "a mixture of each class",
}
"""Titles of samples of each prior beside real images."""


def _samples(
    settings: FigureSettings, facts: Facts, classes: Classes | None, samples: Arrays
) -> NamedFigures:
    cmap = settings.colormap
    panels = [name for name in SAMPLED if name in samples]
    rows = math.ceil(len(panels) / 2)
    sheet = math.ceil(len(samples["real"]) / 10) / 10 * (NARROW / 2 - 0.1)  # inches high
    title = "samples from each prior"
    figure, grid = titled_figure(
        facts, title, 0.5 + (sheet + 0.3) * rows, NARROW, nrows=rows, ncols=2
    )
    for ax, name in zip(grid.ravel(), panels, strict=False):
        draw_samples(ax, samples[name], cmap)
        ax.set_title(SAMPLED[name])
    for ax in grid.ravel()[len(panels) :]:
        ax.set_axis_off()
    yield "samples", figure

    if classes and "rows" in samples:
        count, across = samples["rows"].shape[:2]
        title = f"samples asked for, a {classes.noun} a row"
        height = 0.6 + (NARROW - 0.4) * count / across
        figure, ax = titled_figure(facts, title, height, NARROW)
        draw_rows(ax, samples["rows"], classes.names, cmap)
        yield "labelled_rows", figure

    title = "samples, and the nearest training images"
    made = np.stack([samples["made"], samples["nearest"]])
    figure, ax = titled_figure(facts, title, 0.6 + NARROW * 2 / made.shape[1], NARROW)
    draw_rows(ax, made, ("sample", "training"), cmap)
    yield "nearest", figure


def _maps(
    settings: FigureSettings, facts: Facts, classes: Classes | None, maps: Arrays
) -> NamedFigures:
    size, labels, count = settings.point_size, maps.get("labels"), f"{len(maps['map']):,}"
    plane = facts["method"] == "latent plane"
    method = "" if plane else f"{facts['method']} (perplexity {facts['perplexity']:g}) of the "
    axes = LATENT_AXES if plane else None

    figure, ax = titled_figure(facts, f"{method}latents of {count} test images", 6.8)
    draw_map(ax, maps["map"], labels, classes, size, axes)
    if classes and labels is not None:
        draw_names(ax, maps["map"], labels, classes)
    yield "latent_map", figure

    if classes:
        figure, ax = titled_figure(facts, f"{method}latents, and one of each class", 6.8)
        draw_map(ax, maps["map"], labels, classes, size, axes)
        draw_classes(ax, maps["class_map"], classes)
        yield "latent_map_classes", figure

    first, second = (f"{part:.1%} of the variance" for part in maps["explained_variance"])
    axes = f"first principal component, {first}", f"second component, {second}"
    title = f"principal components of the latents of {count} test images"
    figure, ax = titled_figure(facts, title, 6.8)
    draw_map(ax, maps["pca"], labels, classes, size, axes)
    if classes and labels is not None:
        draw_names(ax, maps["pca"], labels, classes)
    yield "latent_pca", figure


def _posterior(
    settings: FigureSettings, facts: Facts, classes: Classes | None, latents: Arrays
) -> NamedFigures:
    mean, logvar, labels = latents["mean"], latents["logvar"], latents.get("labels")
    rates = rate(mean, logvar)
    title = f"rate of each latent dimension, {rates.sum():.1f} nats in all"
    figure, ax = titled_figure(facts, title, 3.8)
    draw_rate(ax, rates, active(mean))
    yield "rate", figure

    # One draw from each image's posterior: the means alone are narrower than what is decoded.
    samples = sample(mean, logvar, seeds.stream(facts["seed"], "posterior"))
    title = "posterior of all test images together, and the prior"
    if mean.shape[1] == 2:
        figure, ax = titled_figure(facts, title, 6.8)
        draw_aggregate_plane(ax, samples, labels, classes, settings.point_size)
    else:
        figure = _aggregates(facts, title, samples, rates)
    yield "posterior", figure


def _aggregates(facts: Facts, title: str, samples: np.ndarray, rates: np.ndarray) -> Figure:
    """The aggregate posterior in each of the six dimensions of the largest rate, or in all."""
    dims = np.argsort(-rates, kind="stable")[:6]
    columns = min(3, len(dims))
    rows = -(-len(dims) // columns)
    # The same scales in all, so that the one prior looks the same in all.
    shared = {"sharex": True, "sharey": True}
    figure, grid = titled_figure(
        facts, title, 0.9 + 2.2 * rows, nrows=rows, ncols=columns, **shared
    )
    axes = np.atleast_1d(grid).ravel()
    span = max(4.0, float(np.quantile(np.abs(samples[:, dims]), 0.999)))
    for ax, dim in zip(axes, dims, strict=False):
        draw_aggregate(ax, samples[:, dim], span)
        ax.set_title(f"latent dimension {dim}: {rates[dim]:.1f} nats")
    for ax in axes[len(dims) :]:
        ax.set_axis_off()
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2, frameon=False)
    return figure
