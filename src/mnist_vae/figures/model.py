"""All figures of one model, from the arrays and facts that earlier stages saved."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_vae.figures.images import (
    draw_classes_decoded,
    draw_interpolation,
    draw_manifold,
    draw_reconstructions,
    draw_row,
    draw_rows,
    draw_samples,
    misread_classes,
    pairs_in_row,
)
from mnist_vae.figures.maps import draw_circles, draw_classes, draw_map, draw_names
from mnist_vae.figures.style import (
    LATENT_AXES,
    STYLE,
    WIDTH,
    Classes,
    Facts,
    FigureSettings,
    canvas,
    classes_of,
)

Arrays: TypeAlias = Mapping[str, np.ndarray]
NamedFigures: TypeAlias = Iterator[tuple[str, Figure]]


@matplotlib.rc_context(STYLE)
def of_model(
    settings: FigureSettings, facts: Facts, images: Arrays, maps: Arrays, samples: Arrays
) -> list[tuple[str, Figure]]:
    """Names and figures of one model.

    ``facts`` hold dataset, classes, start, corners and method. What a model lacks (all but a 2-d
    one their latent plane) has no figure, and without classes none is drawn of them. A latent plane
    shows what lies between classes, so only other models have an interpolation. Raises ValueError
    for an array of the wrong shape.
    """
    classes = classes_of(settings, facts)
    return [
        *_images(settings, facts, classes, images, samples),
        *_samples(settings, classes, samples),
        *_maps(settings, facts, classes, maps, variational="standard" in samples),
    ]


def _images(
    settings: FigureSettings,
    facts: Facts,
    classes: Classes | None,
    images: Arrays,
    samples: Arrays,
) -> NamedFigures:
    cmap = settings.colormap
    originals, reconstructions = images["originals"], images["reconstructions"]
    columns = pairs_in_row(originals)
    shown = slice(columns * columns)  # no more rows than columns
    figure, ax = _axes(0.2 + 0.55 * WIDTH * math.ceil(len(originals[shown]) / columns) / columns)
    draw_reconstructions(ax, originals[shown], reconstructions[shown], facts["start"], cmap)
    yield "reconstructions", figure

    # The same of each model, to stand below each other.
    row = np.unique(np.minimum(settings.compared, len(originals) - 1))
    for name, pixels in (("originals", originals), ("reconstructed", reconstructions)):
        figure = Figure((2 * WIDTH, 2 * WIDTH / len(row)))
        draw_row(figure.add_axes((0, 0, 1, 1)), pixels[row], cmap)
        yield name, figure

    if classes:
        rows, read = math.ceil(len(classes.names) / 10), samples.get("class_digits_read")
        misread = misread_classes(classes.names, read)
        height = WIDTH / 10 * rows
        height += 0.3 + 0.45 * bool(misread) if rows == 1 else (0.33 + 0.33 * bool(misread)) * rows
        figure, ax = _axes(height)
        draw_classes_decoded(ax, images["class_digits"], classes.names, cmap, read)
        yield "class_digits", figure

    if "manifold" in images:
        figure, ax = _axes(WIDTH)
        draw_manifold(ax, images["manifold"], images["manifold_x"], images["manifold_y"], cmap)
        yield "manifold", figure
    elif classes:
        figure, ax = _axes(WIDTH)
        names = [classes.names[label] for label in facts["corners"]]
        draw_interpolation(ax, images["interpolation"], names, cmap)
        yield "interpolation", figure


SAMPLED = {
    "real": "real test images",
    "standard": "N(0, I)",
    "gaussian": "a Gaussian",
    "mixture": "a mixture of Gaussians",
    "classes": "a mixture of each class",
}
"""Titles of samples of each prior beside real images."""


def _samples(settings: FigureSettings, classes: Classes | None, samples: Arrays) -> NamedFigures:
    cmap = settings.colormap
    panels = [name for name in SAMPLED if name in samples]
    sheet = math.ceil(len(samples["real"]) / 10) / 10 * (WIDTH / 2 - 0.1) + 0.3  # inches high
    heights = [sheet] * ((len(panels) + 1) // 2) + [1.0] * (len(panels) % 2 == 0)
    figure = canvas(sum(heights))
    grid = figure.subplots(nrows=len(heights), ncols=2, height_ratios=heights).ravel()
    for ax, name in zip(grid, panels, strict=False):
        if name == "classes" and classes and len(classes.names) <= 10:
            draw_rows(ax, samples["rows"], classes.names, cmap)
            ax.set_title(f"a {classes.noun} a row, as asked")
        else:
            draw_samples(ax, samples[name], cmap)
            ax.set_title(SAMPLED[name])
    for ax in grid[len(panels) :]:
        ax.set_axis_off()
    nearest = grid[len(panels)]
    draw_rows(nearest, np.stack([samples["made"], samples["nearest"]]), ("", ""), cmap)
    nearest.set_title("samples, and below\ntheir nearest\ntraining images")
    yield "samples", figure


def _maps(
    settings: FigureSettings,
    facts: Facts,
    classes: Classes | None,
    maps: Arrays,
    *,
    variational: bool,
) -> NamedFigures:
    size, labels = settings.point_size, maps.get("labels")
    plane = facts["method"] == "latent plane"
    figure, ax = _axes(WIDTH)
    draw_map(ax, maps["map"], labels, classes, size, LATENT_AXES if plane else None)
    if plane and variational:
        draw_circles(ax)
    if plane and classes:
        draw_classes(ax, maps["class_map"], classes)
    elif classes and labels is not None:
        draw_names(ax, maps["map"], labels, classes)
    yield "latent_map", figure

    if classes and not plane:
        figure, ax = _axes(WIDTH)
        draw_map(ax, maps["map"], labels, classes, size)
        draw_classes(ax, maps["class_map"], classes)
        yield "latent_map_classes", figure


def _axes(height: float) -> tuple[Figure, Axes]:
    figure = canvas(height)
    return figure, figure.subplots()
