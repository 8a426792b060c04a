"""A folder of pictures: which files are images of which class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from mnist_vae.data.idx import Split
from mnist_vae.errors import InputError

CLUTTER = ("thumbs.db", "desktop.ini")
"""What Windows leaves beside pictures; names that begin with a dot are passed over too."""
VALIDATION = {"train", "val", "valid", "validation"}


class Part(NamedTuple):
    """The pictures of a folder, in the order of their names."""

    classes: tuple[str, ...]
    """Names of the folders that hold them, sorted; none if they lie in no folders."""
    paths: list[str]
    labels: list[int]
    """The index of each picture's class, or nothing."""
    strays: list[str]
    """A line for each file that is no picture of a class."""


class _Contents(NamedTuple):
    """What a folder holds, by name."""

    folders: dict[str, str]
    files: dict[str, str]
    strays: list[str]


def list_parts(folder: Path) -> dict[Split, Part]:
    """The pictures of a folder: those of ``train`` and ``test`` in it, else all as ``train``.

    Links that lead out of the folder are not followed. Raises InputError for folders that are
    where none can be.
    """
    root = os.path.realpath(folder)
    top = _look(folder, root)
    names = set(top.folders)
    if {"train", "test"} <= names or names == {"train"}:
        if others := sorted(names - {"train", "test"}):
            raise InputError(f"{top.folders[others[0]]}: must not stand beside train and test")
        strays = [f"{path}: lies beside train and test" for path in top.files.values()]
        parts: dict[Split, Part] = {"train": _list(Path(top.folders["train"]), root)}
        if "test" in names:
            parts["test"] = _list(Path(top.folders["test"]), root)
        parts["train"].strays[:0] = [*top.strays, *strays]
        return parts
    if "train" in names and names <= VALIDATION:
        other = top.folders[min(names - {"train"})]
        raise InputError(f"{other}: beside train must be test; rename it")
    return {"train": _list(folder, root)}


def _list(folder: Path, root: str) -> Part:
    """The pictures in a folder, or in the folders in it."""
    top = _look(folder, root)
    if not top.folders:
        return Part((), list(top.files.values()), [], top.strays)
    strays = [*top.strays, *(f"{path}: lies beside folders" for path in top.files.values())]
    paths: list[str] = []
    labels: list[int] = []
    for label, path in enumerate(top.folders.values()):
        inner = _look(Path(path), root)
        for deeper in inner.folders.values():
            raise InputError(f"{deeper}: a folder in a class; images must lie directly in theirs")
        strays += inner.strays
        paths += inner.files.values()
        labels += [label] * len(inner.files)
    return Part(tuple(top.folders), paths, labels, strays)


def _look(folder: Path, root: str) -> _Contents:
    found = _Contents({}, {}, [])
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name, path = entry.name, entry.path
            if name.startswith(".") or name.lower() in CLUTTER:
                continue
            if entry.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                found.strays.append(f"{path}: a link out of the data set's folder, not followed")
            elif entry.is_dir():
                found.folders[name] = path
            elif entry.is_file():
                found.files[name] = path
            else:
                found.strays.append(f"{path}: neither a file nor a folder")
    return found
