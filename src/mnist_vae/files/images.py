"""The images of a data set, one file for each split."""

from __future__ import annotations

from typing import Literal, TypeAlias

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings

FEWEST = 10
"""Images that a split must have: maps and neighbours of fewer mean nothing."""

Binarise: TypeAlias = Literal["none", "threshold", "stochastic"]
"""How grey images become black and white: not at all, at half of white, or by chance, each pixel
white with the probability that its grey is of white (Salakhutdinov & Murray 2008). What chance
makes is drawn when images are used: the file holds the grey ones."""


class ImagesFacts(Settings, frozen=True, kw_only=True):
    """What the images are of."""

    split: Literal["train", "test"]
    dataset: str
    """Its name as a person says it, "MNIST"."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of labels; none where there are no labels."""
    binarise: Binarise = "none"


IMAGES = Kind(
    "images",
    ImagesFacts,
    {"images": "uint8 N C H W"},
    ({"labels": "uint8 N"},),
)
