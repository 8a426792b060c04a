"""The figures on the page: what each shows, how large it is, and in which order they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files.store import AGAIN
from mnist_vae.report.document import Block, Gallery, Heading, Paragraph, Picture
from mnist_vae.report.tables import Metrics, number

Sizes: TypeAlias = Mapping[str, tuple[int, int]]
"""Width and height in pixels of each figure there is, by its path beside the page."""

RATE_DISTORTION = "rate_distortion.png"

CAPTIONS = {
    "loss": "Training loss",
    "reconstructions": "Test images, each beside its reconstruction",
    "samples": "Samples from each prior beside real images",
    "labelled_rows": "Samples asked for, one class a row",
    "nearest": "Samples, each above the nearest training image",
    "latent_map": "Map of the latents of the test images",
    "latent_pca": "The two principal axes of the latents",
    "class_digits": "One latent of each class, decoded",
    "latent_map_classes": "The map with a latent of each class",
    "interpolation": "Interpolation between four class latents",
    "manifold": "The latent plane, decoded",
    "rate": "Rate of each latent dimension",
    "posterior": "Aggregated posterior against the prior",
    "traversals": "Traversals of the most active dimensions",
}
"""What each figure of a model shows; the page keeps this order."""

COMPARED = {
    "reconstructions": (
        "Reconstructions",
        "The same test images, each beside its reconstruction. It is decoded from the mean of the "
        "posterior, where the notebook decodes a draw.",
    ),
    "samples": (
        "Samples from each prior",
        "Decoded draws beside real test images: from N(0, I), which only a VAE is trained towards, "
        "and from priors that were fitted to the latents of training images afterwards.",
    ),
    "labelled_rows": (
        "Labelled pictures",
        "Decoded draws from the prior of one class in each row: what was asked for is the label.",
    ),
    "latent_map": (
        "Maps of the latents",
        "The latent of each test image, in the colour of its class if it has one: as it is with "
        "two dimensions, else a t-SNE map, on which distances between clusters mean little.",
    ),
}
"""Figures that stand side by side for all models: the title of their section, its introduction."""


def points(measured: Mapping[str, Metrics]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names [M], rates [M] and distortions [M] of the VAEs, for the rate-distortion plane.

    The distortion is of a draw from the posterior, as in the ELBO (Alemi et al. 2018).
    """
    coordinates = {
        name: (rate, distortion)
        for name, metrics in measured.items()
        if (rate := number(metrics, "rate.kl")) is not None
        and (distortion := number(metrics, "distortion.squared_error_sampled")) is not None
    }
    rates, distortions = np.array(list(coordinates.values()), float).reshape(-1, 2).T
    return list(coordinates), rates, distortions


def png_size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height of a PNG file in pixels; raises InputError when it is none."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        raise InputError(f"{name}: not a PNG file{AGAIN}")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def side_by_side(models: Iterable[str], sizes: Sizes, figure: str) -> list[Block]:
    """One figure, a key of ``COMPARED``, of all models that have it."""
    pictures = [
        Picture(path, f"{name}: {CAPTIONS[figure]}", name, sizes[path])
        for name in models
        if (path := _path(name, figure)) in sizes
    ]
    return [Paragraph([COMPARED[figure][1]]), Gallery(pictures)] if pictures else []


def others(models: Iterable[str], sizes: Sizes) -> list[Block]:
    """The other figures, model by model; those that ``CAPTIONS`` does not know come last."""
    blocks: list[Block] = []
    for name in models:
        folder = f"figures/{name}/"
        drawn = {p.removeprefix(folder).removesuffix(".png") for p in sizes if p.startswith(folder)}
        order = [*CAPTIONS, *sorted(drawn - CAPTIONS.keys())]
        pictures = [
            Picture(path, f"{name}: {caption}", caption, sizes[path])
            for figure in order
            if figure in drawn - COMPARED.keys()
            for path, caption in [(_path(name, figure), CAPTIONS.get(figure, figure))]
        ]
        if pictures:
            blocks += [Heading(name), Gallery(pictures)]
    return blocks


def _path(model: str, figure: str) -> str:
    return f"figures/{model}/{figure}.png"
