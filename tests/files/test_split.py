"""Splits of a data set: those that stages take, and those that are refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_vae.errors import InputError
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.files.split import read_split

CLASSES = ("cat", "dog", "owl")


def write(
    folder: Path,
    *shape: int,
    labels: Any = None,
    classes: tuple[str, ...] = (),
    split: Any = "train",
    dataset: str = "pets",
) -> None:
    """A split of black images of this shape."""
    arrays = {"images": np.zeros(shape, np.uint8)}
    if labels is not None:
        arrays["labels"] = np.resize(np.array(labels, np.uint8), shape[0])
    facts = ImagesFacts(split=split, dataset=dataset, classes=classes)
    IMAGES.write(folder / f"{split}.safetensors", arrays, facts)


@pytest.mark.parametrize("size", [8, 28, 36, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_split_says_what_its_images_are(tmp_path: Path, size: int, channels: int) -> None:
    write(tmp_path, 12, channels, size, size, labels=[0, 1, 2], classes=CLASSES)
    split = read_split("train", folder=tmp_path, N=12)
    assert (split.image_size, split.channels, split.dataset) == (size, channels, "pets")
    assert split.classes == CLASSES
    assert split.labels is not None
    assert split.labels.tolist() == [0, 1, 2] * 4


@pytest.mark.parametrize("classes", [(), ("all",)])
def test_one_class_is_none(tmp_path: Path, classes: tuple[str, ...]) -> None:
    write(tmp_path, 10, 1, 8, 8, labels=[0] if classes else None, classes=classes)
    split = read_split("train", folder=tmp_path)
    assert (split.labels, split.classes) == (None, ())


@pytest.mark.parametrize(
    ("shape", "labels", "classes", "message"),
    [
        ((10, 1, 28, 32), None, (), "images are 32 x 28 pixels, must be square, with a side that"),
        ((10, 1, 30, 30), None, (), "images are 30 x 30 pixels, must be square, with a side that"),
        ((10, 1, 4, 4), None, (), "images are 4 x 4 pixels"),
        ((10, 1, 260, 260), None, (), "images are 260 x 260 pixels"),
        ((10, 2, 8, 8), None, (), "images have 2 channels, must have 1 or 3"),
        ((9, 1, 8, 8), None, (), "found 9 images, must be at least 10"),
        ((10, 1, 8, 8), [0, 1, 2], (), "found 0 classes and labels, must be both or none"),
        ((10, 1, 8, 8), None, CLASSES, "found 3 classes and no labels, must be both or none"),
        ((10, 1, 8, 8), [0, 1, 2, 3], CLASSES, "found the label 3, must be below 3"),
        ((10, 1, 8, 8), [0, 2], CLASSES, "no image is of the class 'dog', every class needs one"),
    ],
)
def test_what_stages_cannot_take_is_named(
    tmp_path: Path, shape: tuple[int, ...], labels: Any, classes: tuple[str, ...], message: str
) -> None:
    write(tmp_path, *shape, labels=labels, classes=classes)
    with pytest.raises(InputError) as error:
        read_split("train", folder=tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'train.safetensors'}: {message}")


@pytest.mark.parametrize(
    ("shape", "change", "message"),
    [
        ((10, 3, 8, 8), {}, None),
        ((10, 3, 12, 12), {}, "images is uint8"),
        ((10, 1, 8, 8), {}, "images is uint8"),
        ((10, 3, 8, 8), {"dataset": "plants"}, "its data set or classes are not those of the"),
        ((10, 3, 8, 8), {"classes": CLASSES[::-1]}, "its data set or classes are not those of the"),
    ],
)
def test_both_splits_are_of_one_data_set(
    tmp_path: Path, shape: tuple[int, ...], change: dict[str, Any], message: str | None
) -> None:
    write(tmp_path, 20, 3, 8, 8, labels=[0, 1, 2], classes=CLASSES)
    facts = {"labels": [0, 1, 2], "classes": CLASSES, **change}
    write(tmp_path, *shape, split="test", **facts)
    train = read_split("train", folder=tmp_path)
    if message is None:
        assert read_split("test", folder=tmp_path, like=train).classes == CLASSES
        return
    with pytest.raises(InputError, match=rf"test\.safetensors: {message}"):
        read_split("test", folder=tmp_path, like=train)


def test_what_chance_makes_of_grey_images(tmp_path: Path) -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(2000, 0)
    for split in ("train", "test"):
        facts = ImagesFacts(split=split, dataset="greys", binarise="stochastic")
        IMAGES.write(tmp_path / f"{split}.safetensors", {"images": greys}, facts)
    train, again, test = (read_split(name, folder=tmp_path) for name in ("train", "train", "test"))
    assert train.binarise == "stochastic"
    assert np.unique(train.images).tolist() == [0, 255]
    # A mean of 2,000 draws; six of its largest standard deviations.
    assert abs(train.images.mean(0) - greys[0]).max() < 6 * 127.5 / 2000**0.5
    np.testing.assert_array_equal(train.images, again.images)
    assert (train.images != test.images).any()
    np.testing.assert_array_equal(read_split("train", folder=tmp_path, grey=True).images, greys)
