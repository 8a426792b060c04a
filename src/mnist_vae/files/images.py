"""The images of a data set, one file for each split."""

from __future__ import annotations

from typing import Literal

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings


class ImagesFacts(Settings, frozen=True, kw_only=True):
    """What the images are of."""

    split: Literal["train", "test"]
    dataset: str
    """Its name as a person says it, "MNIST"."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of labels; none where there are no labels."""


IMAGES = Kind(
    "images",
    ImagesFacts,
    {"images": "uint8 N C H W"},
    ({"labels": "uint8 N"},),
)
