"""The IDX format, in which MNIST and its successors are published."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from mnist_vae.errors import InputError

Split: TypeAlias = Literal["train", "test"]

PREFIXES: dict[Split, str] = {"train": "train", "test": "t10k"}
"""How the files' names start, for each split."""
NAMES = {
    f"{prefix}-{name}-idx{dimensions}-ubyte": (split, name)
    for split, prefix in PREFIXES.items()
    for name, dimensions in (("images", 3), ("labels", 1))
}
"""MNIST's four file names, each with its split and what it holds."""


def plain_name(path: str) -> str:
    """The file that a path may hold: ``MNIST/raw/train-labels.idx1-ubyte.gz``, for example."""
    return path.rpartition("/")[2].removesuffix(".gz").replace(".", "-")


def parse_splits(files: Mapping[str, bytes | bytearray]) -> dict[Split, dict[str, np.ndarray]]:
    """``images`` uint8 [N, H, W] and ``labels`` uint8 [N] by split, of files by their names.

    Only what is there is returned. Raises InputError that names the file at fault.
    """
    splits: dict[Split, dict[str, np.ndarray]] = {}
    for file, (split, name) in NAMES.items():
        if file not in files:
            continue
        try:
            array = parse_idx(files[file])
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
        if array.ndim != (3 if name == "images" else 1):
            raise InputError(f"{file}: holds {array.ndim} dimensions, which are not {name}")
        splits.setdefault(split, {})[name] = array
    return splits


def parse_idx(data: bytes | bytearray) -> np.ndarray:
    """Read an IDX file of unsigned bytes: images uint8 [N, H, W] or labels uint8 [N].

    The format is a magic number (two zeros, the type 8, the number of dimensions), the big-endian
    dimensions and the values, the last dimension fastest
    (http://yann.lecun.com/exdb/mnist/). The array is a view of ``data``. Raises InputError unless
    the three agree to the byte.
    """
    if data[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise InputError(
            f"not an IDX file of bytes: starts with {data[:4].hex(' ') or 'nothing'}, "
            "must be 00 00 08 01 (labels) or 00 00 08 03 (images)"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise InputError(f"IDX header cut short: {len(data)} bytes, must be {header}")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    size = header + math.prod(shape)
    if len(data) != size or 0 in shape:
        promised = " x ".join(map(str, shape))
        raise InputError(f"IDX header promises {promised} ({size} bytes), found {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_idx_files(folder: Path) -> dict[str, bytearray]:
    """The contents of those of MNIST's four files that lie in a folder, by name.

    They may be gzip-compressed and be named as in ``plain_name``; the plain one counts if there
    are both. Raises InputError that names the file, or OSError.
    """
    files = {
        name: file
        for file in sorted(folder.iterdir(), reverse=True)
        if (name := plain_name(file.name)) in NAMES and file.is_file()
    }
    contents = {}
    for name, file in files.items():
        try:
            if file.is_symlink() and not file.resolve().is_relative_to(folder.resolve()):
                raise InputError("a link out of the data set's folder, not followed")
            contents[name] = _read_file(file)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None
    return contents


def _read_file(path: Path) -> bytearray:
    """The contents of an IDX file, gzip-compressed or not.

    No more is unpacked than its header promises, so that a small file cannot fill the memory.
    """
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            data = bytearray(file.seek(0, os.SEEK_END))
            file.seek(0)
            file.readinto(data)
            return data
    data, size = bytearray(), 16
    try:
        with gzip.open(path) as unzipped:
            while len(data) < size and (chunk := unzipped.read(min(size - len(data), 2**20))):
                data += chunk
                if len(data) == 16 and data[3] in (1, 3):
                    size = 5 + 4 * data[3] + math.prod(struct.unpack_from(f">{data[3]}I", data, 4))
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"damaged gzip data: {error}") from None
    return data
