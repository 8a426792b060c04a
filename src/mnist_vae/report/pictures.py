"""The figures on the page: what each shows, how large it is, and where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from mnist_vae.errors import InputError
from mnist_vae.files.store import AGAIN
from mnist_vae.report.document import Block, Fold, Gallery, Paragraph, Picture, Strips

Sizes: TypeAlias = Mapping[str, tuple[int, int]]
"""Width and height in pixels of each figure there is, by its path beside the page."""

CAPTIONS = {
    "originals": "Test images",
    "reconstructed": "The same images reconstructed, from the mean, not a draw",
    "reconstructions": "Test images, each beside its reconstruction from the mean, not a draw",
    "samples": "Samples from each prior beside real images",
    "class_digits": "One latent of each class, decoded",
    "latent_map": "Map of the latents of the test images",
    "latent_map_classes": "The map with a latent of each class",
    "interpolation": "Between four latents, decoded",
    "manifold": "The latent plane, decoded",
}
"""What each figure of a model shows; the page keeps this order."""

COMPARED = {
    "answer": "Squared error of each model",
    "losses": "Squared error in training",
    "rates": "Rate of each latent dimension",
    "rate_distortion": "Rate and distortion",
}
"""What each figure of all models shows."""


def png_size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height of a PNG file in pixels; raises InputError when it is none."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        raise InputError(f"{name}: not a PNG file{AGAIN}")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def strips(
    names: Mapping[str, str], sizes: Sizes, figure: str, introduction: str, first: str = ""
) -> list[Block]:
    """A figure, a key of ``CAPTIONS``, of all models that have it, below each other.

    ``names`` are the models, each with what it is in two words. ``first`` is a figure that is the
    same of all; it stands above.
    """
    rows = [
        (f"{name}: {short}", Picture(path, f"{name}: {CAPTIONS[figure]}", "", sizes[path]))
        for name, short in names.items()
        if (path := _path(name, figure)) in sizes
    ]
    same = next((path for name in names if (path := _path(name, first)) in sizes), None)
    if same:
        caption = CAPTIONS[first]
        rows.insert(0, (caption.lower(), Picture(same, caption, "", sizes[same])))
    return [Paragraph([introduction]), Strips(rows)] if rows else []


def side_by_side(
    names: Mapping[str, str], sizes: Sizes, figures: Sequence[str], introduction: str
) -> list[Block]:
    """Figures, keys of ``CAPTIONS``, of all models that have them."""
    pictures = [
        Picture(path, f"{name}: {CAPTIONS[figure]}", f"{name}: {short}", sizes[path])
        for name, short in names.items()
        for figure in figures
        if (path := _path(name, figure)) in sizes
    ]
    return [Paragraph([introduction]), Gallery(pictures)] if pictures else []


def compared(figure: str, alt: str, sizes: Sizes) -> list[Picture]:
    """One figure of all models, a key of ``COMPARED``, if it was drawn."""
    path, caption = f"compared/{figure}.png", COMPARED[figure]
    return [Picture(path, f"{caption}: {alt}", caption, sizes[path])] if path in sizes else []


def others(names: Iterable[str], sizes: Sizes, shown: Iterable[str]) -> list[Block]:
    """The other figures, folded away; those that ``CAPTIONS`` does not know come last."""
    pictures, shown = [], {*shown}
    for name in names:
        folder = f"figures/{name}/"
        drawn = {p.removeprefix(folder).removesuffix(".png") for p in sizes if p.startswith(folder)}
        for figure in [*CAPTIONS, *sorted(drawn - CAPTIONS.keys())]:
            if figure in drawn - shown:
                path, caption = _path(name, figure), f"{name}: {CAPTIONS.get(figure, figure)}"
                pictures.append(Picture(path, caption, caption, sizes[path]))
    return [Fold(f"{len(pictures)} more figures", [Gallery(pictures)])] if pictures else []


def _path(model: str, figure: str) -> str:
    return f"figures/{model}/{figure}.png"
