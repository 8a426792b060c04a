"""Data sets in datasets/, of every sort: what comes out, and one line for what cannot be read."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from support.mnist_files import FILES, idx, lay_out, source_yaml
from support.pictures import save
from support.project import images_of
from tinted import tint

from mnist_vae.data import fetch
from mnist_vae.data.dataset import Dataset, DataSettings, read_dataset
from mnist_vae.errors import InputError
from mnist_vae.settings import check

SETTINGS: dict[str, Any] = {
    "dataset": "photos",
    "image_size": 8,
    "channels": 1,
    "binarise": "none",
    "test_fraction": 0.25,
    "skip_unreadable": False,
    "sources": ["npm"],
    "timeout": 5,
}
PHOTOS = Path("datasets/photos")


def read(**changes: Any) -> Dataset:
    return read_dataset(check(SETTINGS | changes, DataSettings, "data"))


def grey(folder: Path | str, count: int, start: int = 0) -> Path:
    """Plain grey pictures, one value each, below datasets/photos."""
    path = PHOTOS / folder
    path.mkdir(parents=True, exist_ok=True)
    for value in range(start, start + count):
        Image.new("L", (9, 9), value).save(path / f"{value:03}.png")
    return path


def values(dataset: Dataset, split: str) -> list[int]:
    return [int(image[0, 0, 0]) for image in dataset.splits[split]["images"]]  # type: ignore[index]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_vae.data.split.FEWEST", 2)  # so that two or three pictures do
    monkeypatch.delenv(fetch.SOURCE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    Path("datasets").mkdir()


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "/photos"}, "dataset: found '/photos', must be a path relative to datasets/"),
        ({"dataset": "~/photos"}, "must be a path relative to datasets/"),
        ({"dataset": " "}, "must be a path relative to datasets/"),
        ({"dataset": 3}, "data.dataset: found 3, must be text"),
        ({"image_size": 30}, "image_size: found 30, must be a multiple of 4 from 8 to 256"),
        ({"image_size": 4}, "image_size: found 4, must be a multiple of 4 from 8 to 256"),
        ({"image_size": 260}, "image_size: found 260, must be"),
        ({"image_size": 28.5}, "image_size: found 28.5, must be a whole number"),
        ({"channels": 2}, "channels: found 2, must be 1 (grey) or 3 (colour)"),
        ({"test_fraction": 0}, "test_fraction: found 0.0, must be from 0.01 to 0.9"),
        ({"skip_unreadable": "no"}, "skip_unreadable: found 'no', must be true or false"),
        ({"sources": []}, "sources: found none"),
        ({"sources": ["ftp"]}, "'ftp', must be torchvision, npm, debian or local:PATH"),
        ({"sources": ["local:"]}, "'local:', must be"),
        ({"sources": "npm"}, "must be a list"),
        ({"timeout": 0}, "timeout: found 0"),
        ({"timeout": float("inf")}, "timeout: found inf"),
        ({"mirror": "x"}, "mirror: unknown key"),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read(**changes)


@pytest.mark.parametrize("size", [8, 28, 32, 256])
def test_sizes_are_taken(size: int) -> None:
    check(SETTINGS | {"image_size": size, "channels": 3}, DataSettings, "data")


# --- Published ------------------------------------------------------------------------------------


def test_a_published_data_set_keeps_its_order(tmp_path: Path) -> None:
    lay_out(Path("datasets/mnist/source.yaml"), source_yaml(FILES))
    local = f"local:{lay_out(tmp_path / 'mine', FILES)}"
    dataset = read(dataset="mnist", sources=[local], image_size=28)
    assert (dataset.name, dataset.classes) == ("MNIST", tuple("0123456789"))
    assert (dataset.source, dataset.skipped) == (local, [])
    for split, prefix in (("train", "train"), ("test", "t10k")):
        arrays = dataset.splits[split]  # type: ignore[index]
        assert idx(arrays["images"][:, 0]) == FILES[f"{prefix}-images-idx3-ubyte"]
        assert idx(arrays["labels"]) == FILES[f"{prefix}-labels-idx1-ubyte"]


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    tree = yaml.safe_load(source_yaml(FILES))
    tree["dataset"]["classes"] = ["0", "1"]
    lay_out(Path("datasets/mnist/source.yaml"), yaml.safe_dump(tree).encode())
    local = f"local:{lay_out(tmp_path / 'mine', FILES)}"
    with pytest.raises(InputError, match=r"^datasets/mnist/source.yaml: 2 classes, fewer than "):
        read(dataset="mnist", sources=[local])


# --- Folders of pictures --------------------------------------------------------------------------


def test_one_folder_a_class() -> None:
    for name, start in (("cat", 0), ("Ant", 100), ("bee", 200)):
        grey(name, 8, start)
    dataset = read()
    assert (dataset.name, dataset.classes) == ("photos", ("Ant", "bee", "cat"))
    for split, count in (("train", 18), ("test", 6)):
        arrays = dataset.splits[split]  # type: ignore[index]
        assert arrays["images"].shape == (count, 1, 8, 8)
        # Ant, bee and cat, in this order, begin at 100, 200 and 0.
        assert arrays["labels"].tolist() == [
            (value // 100 + 2) % 3 for value in values(dataset, split)
        ]
    both = values(dataset, "train") + values(dataset, "test")
    assert sorted(both) == [*range(8), *range(100, 108), *range(200, 208)]


def test_images_without_classes() -> None:
    grey("", 20)
    dataset = read()
    assert dataset.classes == ()
    assert [set(arrays) for arrays in dataset.splits.values()] == [{"images"}] * 2
    assert len(values(dataset, "test")) == 5
    assert sorted(values(dataset, "train") + values(dataset, "test")) == list(range(20))


@pytest.mark.parametrize("classes", [("",), ("a", "b")])
def test_train_and_test_are_taken_as_they_are(classes: tuple[str, ...]) -> None:
    for number, name in enumerate(classes):
        grey(Path("train", name), 6, 100 * number)
        grey(Path("test", name), 3, 100 * number + 50)
    dataset = read()
    assert dataset.classes == tuple(filter(None, classes))
    tests = [100 * number + 50 + i for number in range(len(classes)) for i in range(3)]
    assert sorted(values(dataset, "test")) == tests
    assert len(values(dataset, "train")) == 6 * len(classes)


def test_from_train_alone_a_part_is_split_off() -> None:
    grey("train/a", 4)
    grey("train/b", 4, 100)
    dataset = read()
    assert dataset.classes == ("a", "b")
    assert (len(values(dataset, "train")), len(values(dataset, "test"))) == (6, 2)


def test_colour_pictures_with_real_content() -> None:
    arrays = images_of("test")
    keep = np.flatnonzero(arrays["labels"] < 2)
    pictures = tint(arrays["images"][keep, 0])
    save(PHOTOS, pictures, [["zero", "one"][label] for label in arrays["labels"][keep]])
    dataset = read(image_size=32, channels=3)
    assert dataset.classes == ("one", "zero")
    given = {
        picture.transpose(2, 0, 1).tobytes(): 1 - label
        for picture, label in zip(pictures, arrays["labels"][keep], strict=True)
    }
    found = {
        image.tobytes(): label
        for split in dataset.splits.values()
        for image, label in zip(split["images"], split["labels"], strict=True)
    }
    assert found == given


def test_the_same_comes_out_again_and_in_mixed_order() -> None:
    grey("a", 20)
    grey("b", 20, 100)
    first, second = read(), read()
    for split, arrays in first.splits.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, second.splits[split][name])
        assert 0 < arrays["labels"][: len(arrays["labels"]) // 2].mean() < 1


def test_what_systems_leave_is_passed_over() -> None:
    grey("", 8)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "._000.png", ".hidden/x"):
        lay_out(PHOTOS / name, b"x")
    assert read().skipped == []


def test_a_link_to_the_folder_is_followed_and_its_name_kept(tmp_path: Path) -> None:
    grey("", 8)
    PHOTOS.rename(tmp_path / "elsewhere")
    PHOTOS.symlink_to(tmp_path / "elsewhere")
    assert read().name == "photos"
    assert read(dataset="../elsewhere").name == "elsewhere"
    assert read(dataset="photos/../photos").name == "photos"


# --- What is no readable picture ------------------------------------------------------------------


def link_out(path: Path) -> None:
    outside = Path("outside.png").resolve()
    Image.new("L", (9, 9)).save(outside)
    path.symlink_to(outside)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("hello"), "not an image in PNG, JPEG"),
    "empty": (Path.touch, "0 bytes, must be at least 1"),
    "a pipe": (os.mkfifo, "neither a file nor a folder"),
    "a link out": (link_out, "a link out of the data set's folder, not followed"),
    "a broken link": (lambda path: path.symlink_to("nowhere"), "neither a file nor a folder"),
    "damaged": (
        lambda path: path.write_bytes((PHOTOS / "a/001.png").read_bytes()[:-20]),
        "cannot be read: ",
    ),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", ["a/odd.png", "odd.png"])
def test_what_is_no_picture_is_refused_or_counted(odd: str, place: str) -> None:
    grey("a", 6)
    grey("b", 6, 100)
    make, message = ODD[odd]
    make(PHOTOS / place)
    with pytest.raises(InputError) as failure:
        read()
    hint = "; take it out, or set data.skip_unreadable"
    assert str(failure.value).startswith(f"{PHOTOS / place}: ")
    assert str(failure.value).endswith(hint)
    if place.startswith("a/"):
        assert message in str(failure.value)
    dataset = read(skip_unreadable=True)
    assert [line.partition(": ")[0] for line in dataset.skipped] == [str(PHOTOS / place)]
    assert len(values(dataset, "train") + values(dataset, "test")) == 12
    for arrays in dataset.splits.values():
        assert (arrays["labels"] == (arrays["images"][:, 0, 0, 0] >= 100)).all()


def empty() -> None:
    PHOTOS.mkdir()


def a_class_unreadable() -> None:
    grey("a", 6)
    for name in "1234":
        lay_out(PHOTOS / f"b/{name}.png", b"x")


def many_classes() -> None:
    for number in range(101):
        grey(f"{number:03}", 1)


def beside(*folders: str) -> Callable[[], None]:
    def make() -> None:
        for name in folders:
            grey(name, 4)

    return make


def linked_class() -> None:
    grey("a", 4)
    grey("b", 4)
    shutil.move(PHOTOS / "b", "b")
    (PHOTOS / "b").symlink_to(Path("b").resolve())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (empty, "datasets/photos: 0 images, needs at least 4: 2 to train and 2 to test on"),
        (lambda: grey("", 1), "datasets/photos: 1 images, needs at least 4"),
        (lambda: grey("a", 4), "datasets/photos: one class, 'a', must be none or 2 to 100"),
        (many_classes, "datasets/photos: 101 classes, must be none or 2 to 100"),
        (
            lambda: (grey("a", 4), grey("b", 0)),
            "datasets/photos: 0 images of class 'b', needs at least 2",
        ),
        (a_class_unreadable, "datasets/photos: no image of class 'b' to train with"),
        (beside("a", "b/more"), "datasets/photos/b/more: a folder in a class"),
        (beside("train", "test", "more"), "datasets/photos/more: must not stand beside train"),
        (beside("train", "val"), "datasets/photos/val: beside train must be test; rename it"),
        (
            beside("train/a", "train/b", "test/a"),
            "datasets/photos: train and test must hold the same folders, 'b' is in one only",
        ),
        (
            lambda: (grey("train/a", 4), grey("train/b", 4), grey("test/a", 4), grey("test/b", 0)),
            "datasets/photos: no image of class 'b' to test with",
        ),
        (lambda: (grey("train", 4), grey("test", 1)), "datasets/photos: 1 images to test with"),
        (linked_class, "datasets/photos: one class, 'a'"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    make()
    with pytest.raises(InputError) as failure:
        read(skip_unreadable=True)
    assert str(failure.value).startswith(message)


def test_where_there_is_nothing_the_line_says_what_there_is() -> None:
    grey("", 1)
    Path("datasets/photos.dvc").touch()
    Path("datasets/.gitignore").touch()
    with pytest.raises(InputError, match=r"^datasets/photo: not found; datasets/ holds photos$"):
        read(dataset="photo")
    shutil.rmtree("datasets")
    with pytest.raises(InputError, match=r"^datasets/photo: not found; datasets/ holds nothing$"):
        read(dataset="photo")


def test_another_file_is_refused() -> None:
    lay_out(Path("datasets/photos.zip"), b"PK")
    with pytest.raises(InputError, match=r"^datasets/photos.zip: must be a folder of images or of"):
        read(dataset="photos.zip")


# --- Arrays ---------------------------------------------------------------------------------------

IMAGES = np.arange(20, dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
LABELS = np.arange(20) // 10


def test_an_npz_with_labels() -> None:
    np.savez("datasets/some.npz", images=IMAGES, labels=np.array(["b", "a"])[LABELS])
    dataset = read(dataset="some.npz")
    assert (dataset.name, dataset.classes) == ("some", ("a", "b"))
    assert sorted(values(dataset, "train") + values(dataset, "test")) == list(range(20))
    for split, arrays in dataset.splits.items():
        assert arrays["labels"].tolist() == [int(v < 10) for v in values(dataset, split)]
    assert np.bincount(dataset.splits["test"]["labels"]).tolist() == [2, 2]


def test_an_npz_without_labels_is_resized_and_coloured() -> None:
    np.savez("datasets/some.npz", images=IMAGES, test_images=IMAGES[:3])
    dataset = read(dataset="some.npz", image_size=12, channels=3)
    assert dataset.classes == ()
    assert dataset.splits["train"]["images"].shape == (20, 3, 12, 12)
    assert sorted(values(dataset, "test")) == [0, 1, 2]


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files(packed: bool) -> None:
    for name, array in {
        "train-images-idx3-ubyte": IMAGES,
        "train-labels-idx1-ubyte": LABELS.astype(np.uint8),
        "t10k-images-idx3-ubyte": IMAGES[8:12],
        "t10k-labels-idx1-ubyte": LABELS[8:12].astype(np.uint8),
    }.items():
        data = gzip.compress(idx(array)) if packed else idx(array)
        lay_out(PHOTOS / (f"{name}.gz" if packed else name), data)
    dataset = read()
    assert dataset.classes == ("0", "1")
    assert sorted(values(dataset, "test")) == [8, 9, 10, 11]
    for split, arrays in dataset.splits.items():
        assert arrays["labels"].tolist() == [int(v >= 10) for v in values(dataset, split)]


def test_idx_files_without_labels_and_test() -> None:
    lay_out(PHOTOS / "train-images.idx3-ubyte", idx(IMAGES))
    dataset = read()
    assert dataset.classes == ()
    assert (len(values(dataset, "train")), len(values(dataset, "test"))) == (15, 5)


def npz(**arrays: Any) -> Callable[[], None]:
    return lambda: np.savez(PHOTOS.with_suffix(".npz"), **arrays)


def idx_file(name: str, data: bytes) -> Callable[[], Path]:
    return lambda: lay_out(PHOTOS / name, data)


BOAST = idx(IMAGES)[:4] + b"\xff" * 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (npz(test_images=IMAGES), "photos.npz: holds no images to train on"),
        (npz(images=IMAGES, test_labels=LABELS), "photos.npz: holds labels to test with, but no"),
        (npz(images=IMAGES, labels=LABELS, test_images=IMAGES), "photos.npz: must hold labels of "),
        (
            npz(images=IMAGES, labels=LABELS[1:]),
            "photos.npz: holds 20 images to train with, but 19",
        ),
        (npz(images=IMAGES, labels=LABELS + 100), "photos.npz: train labels hold 100 to 101, must"),
        (npz(images=IMAGES, labels=LABELS * 2), "photos.npz: 0 images of class '1', needs"),
        (npz(images=IMAGES, labels=np.zeros(20, object)), "photos.npz: labels holds Python obj"),
        (npz(images=IMAGES[:3]), "photos.npz: 3 images, needs at least 4"),
        (npz(images=IMAGES, test_images=IMAGES[:1]), "photos.npz: 1 images to test with"),
        (
            npz(images=IMAGES, labels=LABELS, test_images=IMAGES[:4], test_labels=LABELS[:4]),
            "photos.npz: no image of class '1' to test with",
        ),
        (idx_file("train-images-idx3-ubyte", b"x"), "photos: train-images-idx3-ubyte: not an IDX"),
        (idx_file("train-images-idx3-ubyte", idx(LABELS.astype(np.uint8))), "photos: train-images"),
        (idx_file("train-labels-idx1-ubyte", idx(LABELS.astype(np.uint8))), "photos: holds labels"),
        (
            idx_file("train-images-idx3-ubyte.gz", b"\x1f\x8bx"),
            "photos/train-images-idx3-ubyte.gz: ",
        ),
        (idx_file("train-images-idx3-ubyte.gz", gzip.compress(BOAST)), "photos: train-images-idx3"),
        (
            idx_file("train-images-idx3-ubyte.gz", gzip.compress(idx(IMAGES) + bytes(10**8))),
            "photos: train-images-idx3-ubyte: IDX header promises 20 x 8 x 8 (1296 bytes), found ",
        ),
    ],
)
def test_wrong_arrays_are_refused(make: Callable[[], object], message: str) -> None:
    make()
    with pytest.raises(InputError) as failure:
        read(dataset="photos" if PHOTOS.exists() else "photos.npz")
    assert str(failure.value).startswith(f"datasets/{message}")


# --- Black and white ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("binarise", "expected"),
    [("none", [0, 126, 127, 128, 129, 255]), ("threshold", [0, 0, 0, 255, 255, 255])],
)
def test_grey_becomes_black_and_white_at_half(binarise: str, expected: list[int]) -> None:
    for split in ("train", "test"):
        for value in (0, 126, 127, 128, 129, 255):
            grey(split, 1, value)
    dataset = read(binarise=binarise)
    for split in ("train", "test"):
        assert sorted(values(dataset, split)) == expected


def test_what_is_drawn_later_stays_grey() -> None:
    grey("", 20)
    assert sorted(values(read(binarise="stochastic"), "train")) == sorted(values(read(), "train"))


@pytest.mark.parametrize("binarise", ["threshold", "stochastic"])
def test_colour_does_not_become_black_and_white(binarise: str) -> None:
    with pytest.raises(InputError, match="colour images allow only none"):
        read(channels=3, binarise=binarise)
