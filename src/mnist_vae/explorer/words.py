"""What the explorer says in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mnist_vae.explorer.content import Errors, Model, in_order
from mnist_vae.files.split import Split
from mnist_vae.measure.dataset import noun

COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


class Section(NamedTuple):
    """A view of the page, and what stands above it."""

    anchor: str
    """The id of its place, by which the script finds it."""
    title: str
    text: str
    short: str
    """Its title among others."""


class Still(NamedTuple):
    """A figure for whoever runs no scripts."""

    src: str
    caption: str


def words(test: Split, models: Sequence[Model], points: int, errors: Errors) -> dict[str, Any]:
    """All text of the page that is not its script's."""
    sections = _sections(test, models)
    return {
        "dataset": test.dataset,
        "lead": _lead(test, models),
        "sections": sections,
        "contents": [(section.anchor, section.short) for section in sections],
        "figures": _figures(models),
        "about": _about(test, points, errors),
    }


def _lead(test: Split, models: Sequence[Model]) -> str:
    dims = sorted({model.settings.latent_dim for model in models})
    several = len(models) > 1
    count = COUNTS[len(models)] if len(models) < len(COUNTS) else str(len(models))
    sizes = f"{', '.join(map(str, dims[:-1]))} or {dims[-1]}" if len(dims) > 1 else str(dims[0])
    return (
        f"{count} network{'s' if several else ''} learned to keep each image of "
        f"{test.dataset} in {sizes} number{'' if dims == [1] else 's'}, and to draw it again from "
        f"these. {'They run' if several else 'It runs'} in this page: no server, no network."
    )


def _sections(test: Split, models: Sequence[Model]) -> list[Section]:
    what = "digit" if noun(test.dataset) == "digit" else "picture"
    flat = [model for model in models if model.settings.latent_dim == 2]
    sections = []
    if flat:
        text = "Drag the dot: the image beside it is what the network draws for that place."
        if any(model.settings.kind == "vae" for model in flat):
            text += " The circles hold 39%, 86% and 99% of the prior that a VAE is trained towards."
        sections.append(Section("planes", "Two numbers, one image", text, "Two numbers"))
    return [
        *sections,
        Section(
            "sketch",
            f"Draw a {what}",
            "Each network sees what you draw, keeps its few numbers and draws it again.",
            "Draw",
        ),
        Section(
            "map",
            "The map of test images",
            "Images that a network finds alike lie close together. Point at one to see it, and "
            "where it lies under another network. Drag to move; buttons, two fingers or the wheel "
            "on a map that was clicked zoom.",
            "Map",
        ),
        Section(
            "dials",
            "Every number on a slider",
            "A slider goes four times the spread of its number to either side of the mean.",
            "Sliders",
        ),
        Section(
            "between",
            "From one image to another",
            "A straight line through the numbers of each network. Press an image to change it.",
            "Between",
        ),
    ]


def _figures(models: Sequence[Model]) -> list[Still]:
    """Figures that the stage ``draw`` makes."""
    figures = []
    for model in in_order(models):
        if model.settings.latent_dim == 2:
            plane = f"figures/{model.name}/manifold.png"
            figures.append(Still(plane, f"{model.name}: its latent plane, decoded"))
        figures.append(
            Still(f"figures/{model.name}/latent_map.png", f"{model.name}: the map of test images")
        )
    return figures


def _about(test: Split, points: int, errors: Errors) -> list[str]:
    every = points == len(test.images)
    which = f"All {points:,}" if every else f"{points:,} of the {len(test.images):,}"
    return [
        "Weights are whole numbers of 16 bits with a scale for each row. With these the networks "
        f"decode pixels at most {_up(255 * errors.pixel)} of 255 grey levels away from the "
        f"original weights, and encode means at most {_up(errors.mean)} away, as far as "
        "100 latents and 100 test images of each model tell.",
        f"{which} test images are on the map. The page keeps them in 16 shades; latents of more "
        "than two dimensions, and the weights of the classifier, are whole numbers of 8 bits.",
        "A drawing lies on a t-SNE map in the middle of its nearest test images, because t-SNE "
        "itself says nothing of images that it was not made of.",
        "The page asks nothing of any network, and a policy in it forbids that it could.",
    ]


def _up(value: float) -> str:
    """A bound, rounded up to one digit."""
    if value <= 0:
        return "0"
    step = 10.0 ** np.floor(np.log10(value))
    up = np.ceil(value / step) * step
    return np.format_float_positional(up, precision=1, fractional=False, trim="-")
