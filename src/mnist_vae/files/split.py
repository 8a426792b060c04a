"""The images of a split as stages take them: square, and labelled whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.files.images import FEWEST, IMAGES, Binarise
from mnist_vae.files.store import AGAIN


class Split(NamedTuple):
    """The training or the test images of a data set."""

    images: np.ndarray
    """uint8 [N, C, H, H]"""
    labels: np.ndarray | None
    """uint8 [N], each below the number of classes; None where there are no labels."""
    dataset: str
    """Its name as a person says it."""
    classes: tuple[str, ...]
    """Names of the classes, at least two; none where there are no labels."""
    binarise: Binarise = "none"

    @property
    def channels(self) -> int:
        """1 of grey images, 3 of colour."""
        return self.images.shape[1]

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return self.images.shape[2]


def read_split(
    split: Literal["train", "test"],
    *,
    grey: bool = False,
    folder: Path = Path("data"),
    like: Split | None = None,
    **sizes: int,
) -> Split:
    """Read a split of the data set.

    Where chance makes images black and white, they are drawn here, the same ones each time; whoever
    draws them afresh asks for the ``grey`` ones.

    ``like`` is the other split, and ``sizes`` are what N, C and H must be, where they are known. A
    single class is none: it tells images apart from no others. Raises InputError, naming the file,
    for images that no network here takes, and for labels that do not fit the names of classes.
    """
    path = folder / f"{split}.safetensors"
    if like:
        sizes |= {"C": like.channels, "H": like.image_size}
    arrays, facts = IMAGES.read(path, sizes=sizes, split=split)
    images, labels = arrays["images"], arrays.get("labels")
    count, channels, height, width = images.shape
    if height != width or height % 4 or not 8 <= height <= 256:
        raise InputError(
            f"{path}: images are {width} x {height} pixels, must be square, "
            "with a side that is a multiple of 4 from 8 to 256"
        )
    if channels not in (1, 3):
        raise InputError(f"{path}: images have {channels} channels, must have 1 or 3")
    if count < FEWEST:
        raise InputError(f"{path}: found {count} images, must be at least {FEWEST}")
    if (labels is None) != (not facts.classes):
        problem = f"{len(facts.classes)} classes and {'no ' if labels is None else ''}labels"
        raise InputError(f"{path}: found {problem}, must be both or none{AGAIN}")
    one = len(facts.classes) == 1
    if facts.binarise == "stochastic" and not grey:
        rng = seeds.stream(0, f"binarise {split}")
        images = np.where(rng.integers(255, size=images.shape, dtype=np.uint8) < images, 255, 0)
        images = images.astype(np.uint8)
    found = Split(
        images,
        None if one else labels,
        facts.dataset,
        () if one else facts.classes,
        facts.binarise,
    )
    if like and (like.dataset, like.classes) != (found.dataset, found.classes):
        raise InputError(f"{path}: its data set or classes are not those of the other split{AGAIN}")
    if found.labels is None:
        return found
    if found.labels.max() >= len(found.classes):
        problem = f"found the label {found.labels.max()}, must be below {len(found.classes)}"
        raise InputError(f"{path}: {problem}, the number of classes{AGAIN}")
    counts = np.bincount(found.labels, minlength=len(found.classes))
    for name, members in zip(found.classes, counts, strict=True):
        if not members:
            raise InputError(f"{path}: no image is of the class {name!r}, every class needs one")
    return found
