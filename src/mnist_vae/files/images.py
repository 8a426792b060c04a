"""The images of a data set, one file for each split."""

from __future__ import annotations

from typing import Literal

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings


class ImagesFacts(Settings, frozen=True, kw_only=True):
    """What the images are of."""

    split: Literal["train", "test"]


IMAGES = Kind(
    "images",
    ImagesFacts,
    {"images": "uint8 N 28 28", "labels": "uint8<10 N"},
)
