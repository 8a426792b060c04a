"""Arrays of images in NumPy's .npz."""

from __future__ import annotations

import errno
import math
import sys
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from mnist_vae.data.idx import Split
from mnist_vae.data.zips import open_zip
from mnist_vae.errors import InputError

ARRAYS: dict[str, tuple[Split, str]] = {
    "images": ("train", "images"),
    "labels": ("train", "labels"),
    "test_images": ("test", "images"),
    "test_labels": ("test", "labels"),
}
"""The arrays that a file may hold, each with its split and what it is there."""
CHUNK = 4096
DEFLATE_RATIO = 1100
"""Bytes that one byte of a zip can unpack to, at most."""

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What zipfile and NumPy raise on damaged input; RuntimeError where it is encrypted.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError)


def read_npz(path: Path) -> dict[Split, dict[str, np.ndarray]]:
    """Read ``images`` uint8 [N, H, W] or [N, H, W, 1 or 3], and ``labels`` [N], of each split.

    Floats from 0 to 1 become uint8. Labels are whole numbers or text. Nothing is unpickled.
    Raises InputError that names the array.
    """
    arrays = read_arrays(path, ARRAYS)
    splits: dict[Split, dict[str, np.ndarray]] = {}
    for name, (split, what) in ARRAYS.items():
        if name in arrays:
            check = _images if what == "images" else _labels
            splits.setdefault(split, {})[what] = check(name, arrays.pop(name))
    return splits


def read_arrays(path: Path, known: Collection[str]) -> dict[str, np.ndarray]:
    """Read the arrays of a file by name, each of which must be ``known``. Nothing is unpickled.

    Raises InputError that names the array, OSError for a file that cannot be opened.
    """
    try:
        with open_zip(path) as archive:
            names = [member.removesuffix(".npy") for member in archive.namelist()]
            for name in names:
                if name not in known:
                    raise InputError(f"holds {name!r}; known arrays: {', '.join(known)}")
            return {name: _read(archive, name) for name in known if name in names}
    except (*_DAMAGED, OSError) as error:
        # The reader of a damaged zip seeks to before the file's start.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        raise InputError(f"damaged, or not an .npz of plain arrays: {error}") from None


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array, if the file can hold what the array's header promises."""
    member = archive.getinfo(f"{name}.npy")
    with archive.open(member) as file:
        read_header = _HEADERS.get(np.lib.format.read_magic(file))
        if read_header is None:
            raise ValueError(f"{name} is of an unknown version")
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise InputError(f"{name} holds Python objects, which are never read")
        size = file.tell() + dtype.itemsize * math.prod(map(int, shape))
        if not member.file_size == size <= DEFLATE_RATIO * max(member.compress_size, 1):
            raise ValueError(f"{name} is not as long as it says")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _images(name: str, array: np.ndarray) -> np.ndarray:
    grey = array.ndim == 3
    if 0 in array.shape or not (grey or (array.ndim == 4 and array.shape[3] in (1, 3))):
        raise InputError(f"{name} is {array.shape}, must be (N, H, W) or (N, H, W, 1 or 3)")
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise InputError(f"{name} is {array.dtype}, must be uint8 or floats from 0 to 1")
    images = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), CHUNK):
        piece = array[start : start + CHUNK]
        if not (piece.min() >= 0 and piece.max() <= 1):
            raise InputError(f"{name} holds {piece.min():g} to {piece.max():g}, must be 0 to 1")
        images[start : start + CHUNK] = np.rint(255 * piece.astype(np.float32))
    return images


def _labels(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise InputError(
            f"{name} is {array.dtype} {array.shape}, must be (N,) of whole numbers or text"
        )
    if array.dtype.kind == "U" and array.dtype.itemsize:
        numbers = np.ascontiguousarray(array).view(f"{array.dtype.byteorder}u4")
        if numbers.size and numbers.max() > sys.maxunicode:
            raise InputError(f"{name} holds numbers that are no characters")
    return array
