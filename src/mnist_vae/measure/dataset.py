"""What the images are, for whoever reads about them."""

from __future__ import annotations

import hashlib

from mnist_vae.files.images import Binarise
from mnist_vae.files.split import Split
from mnist_vae.settings import Settings


class DatasetFacts(Settings, frozen=True, kw_only=True):
    """A data set in names and numbers; they stand beside what was measured of the classifier."""

    dataset: str
    """Its name as a person says it."""
    train_images: int
    test_images: int
    image_size: int
    """Height and width in pixels."""
    channels: int
    """1 of grey images, 3 of colour."""
    binarise: Binarise = "none"
    """How grey ones became black and white."""
    classes: tuple[str, ...] = ()
    """Their names; none where there are no labels."""
    train_sha256: str
    """Of the pixels of the training images, row by row."""

    @property
    def noun(self) -> str:
        """What one class is called."""
        return noun(self.dataset)


def noun(dataset: str) -> str:
    """What a class of a data set is called: MNIST's are digits."""
    return "digit" if dataset == "MNIST" else "class"


def describe(train: Split, test: Split) -> DatasetFacts:
    """The facts about a data set from its images."""
    return DatasetFacts(
        dataset=train.dataset,
        train_images=len(train.images),
        test_images=len(test.images),
        image_size=train.image_size,
        channels=train.channels,
        binarise=train.binarise,
        classes=train.classes,
        train_sha256=hashlib.sha256(train.images.data).hexdigest(),
    )


def neighbours(images: int) -> int:
    """How many neighbours to judge a map of so many images by: 10, or of few less than half."""
    return min(10, (images - 1) // 2)
