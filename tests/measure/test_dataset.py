"""What the images are, in names and numbers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mnist_vae.files.split import Split
from mnist_vae.measure.dataset import DatasetFacts, describe, neighbours


def test_a_data_set_is_described_by_its_images() -> None:
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (count, 3, 8, 8), np.uint8) for count in (5, 2))
    found = describe(
        Split(train, np.arange(5, dtype=np.uint8) % 2, "pets", ("cat", "dog"), "threshold"),
        Split(test, np.zeros(2, np.uint8), "pets", ("cat", "dog"), "threshold"),
    )
    assert found == DatasetFacts(
        dataset="pets",
        train_images=5,
        test_images=2,
        image_size=8,
        channels=3,
        binarise="threshold",
        classes=("cat", "dog"),
        train_sha256=hashlib.sha256(train.tobytes()).hexdigest(),
    )


@pytest.mark.parametrize(
    ("dataset", "noun"), [("MNIST", "digit"), ("Fashion-MNIST", "class"), ("pets", "class")]
)
def test_mnists_classes_are_digits(dataset: str, noun: str) -> None:
    images = np.zeros((1, 1, 8, 8), np.uint8)
    split = Split(images, None, dataset, ())
    assert describe(split, split).noun == noun


@pytest.mark.parametrize(("images", "count"), [(3, 1), (20, 9), (21, 10), (22, 10), (10_000, 10)])
def test_a_map_of_few_images_is_judged_by_less_than_half_of_them(images: int, count: int) -> None:
    assert neighbours(images) == count
