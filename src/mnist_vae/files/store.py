"""Files between stages: written whole or not at all, checked when read.

Arrays travel as safetensors (nothing in them can run code, and their size bounds what a reader
allocates), tables as CSV, metrics as JSON. Each array file carries what it is, which model it
belongs to and a digest of its contents, so that a damaged or misplaced file is refused.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import math
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from mnist_vae.errors import InputError
from mnist_vae.files import lock

Arrays = dict[str, np.ndarray]
MAPPED = 64 * 2**20
"""Bytes from which a file's arrays stay in the file until they are used."""
TYPES = {"BOOL": "?", "C64": "<c8"} | {
    f"{kind}{8 * size}": f"<{kind.lower()}{size}"
    for kind, sizes in {"F": (2, 4, 8), "I": (1, 2, 4, 8), "U": (1, 2, 4, 8)}.items()
    for size in sizes
}
"""NumPy's names of safetensors' types."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, put in its place only when the block succeeds.

    The temporary name is of this call alone, see ``lock.temporary``: who writes the same file at
    the same time does no harm.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock.temporary(path) as part:
            yield part
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            os.replace(part, path)
    except OSError as error:
        error.filename = str(path)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Publish ``data`` at ``path`` atomically; raises OSError that names ``path``."""
    with replacing(path) as part:
        part.write_bytes(data)


def write_arrays(path: Path, what: str, arrays: Mapping[str, np.ndarray], **facts: Any) -> None:
    """Save named arrays, with what they are and JSON-able facts about them, as safetensors."""
    solid = {
        name: np.asarray(array, array.dtype.newbyteorder("="), order="C")
        for name, array in sorted(arrays.items())
    }
    header = json.dumps({"what": what, "about": facts}, sort_keys=True)
    metadata = {"mnist_vae": json.dumps([header, _digest(header, solid)])}
    # One metadata value alone: safetensors writes several in an order that varies.
    write_bytes(path, safetensors.numpy.save(solid, metadata))


def read_arrays(path: Path, what: str, **expected: Any) -> tuple[Arrays, dict[str, Any]]:
    """Load the arrays of a file that ``write_arrays`` made, and the facts about them.

    ``expected`` are facts that must hold, for example ``model="vae16"``. Raises InputError when the
    file is missing, damaged or something else.
    """
    _check_there(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header, digest = json.loads((file.metadata() or {})["mnist_vae"])
            if path.stat().st_size < MAPPED:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            else:
                arrays = _map(path)
        intact = _digest(header, arrays) == digest
        contents, facts = json.loads(header)["what"], {**json.loads(header)["about"]}
    except (
        SafetensorError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        OSError,
    ):
        raise InputError(
            f"{path}: damaged, or not a file of this project's {what}{AGAIN}"
        ) from None
    if not intact:
        raise InputError(f"{path}: damaged, its contents do not match their digest{AGAIN}")
    if contents != what:
        raise InputError(f"{path}: holds {contents}, must hold {what}{AGAIN}")
    for key, value in expected.items():
        if facts.get(key) != value:
            raise InputError(f"{path}: made for {key} {facts.get(key)!r}, must be {value!r}{AGAIN}")
    return arrays, facts


def _map(path: Path) -> Arrays:
    """The arrays of a safetensors file that has been opened before, as they lie in it.

    They can be written to, which changes no file.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(length))
        contents = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    entries.pop("__metadata__", None)
    return {
        name: np.ndarray(
            entry["shape"], TYPES[entry["dtype"]], contents, 8 + length + entry["data_offsets"][0]
        )
        for name, entry in entries.items()
    }


AGAIN = "; delete it and run `dvc repro`"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Publish a mapping of finite numbers, text and mappings as indented JSON."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises InputError naming the file when it is anything else."""
    try:
        value = json.loads(_text(path))
        # Refuses what JSON lacks and Python reads: NaN, 1e999, half of a surrogate pair.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InputError(f"{path}: damaged, not valid JSON{AGAIN}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: must hold a JSON object{AGAIN}")
    return value


def write_table(
    path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, float | str]]
) -> None:
    """Publish rows as CSV, below a header of all columns; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_table(path: Path, *columns: str, length: int | None = None) -> dict[str, np.ndarray]:
    """Read a CSV of numbers into one float64 array [rows] for each of ``columns``.

    Raises InputError when it is damaged, cut short, or not of ``length`` rows where that is given.
    """
    text = _text(path)
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        table = {c: np.array([float(row[c]) for row in rows]) for c in columns}
    except (csv.Error, KeyError, TypeError, ValueError):
        raise InputError(
            f"{path}: must be a CSV of numbers in {', '.join(columns)}{AGAIN}"
        ) from None
    if not rows or not all(math.isfinite(v) for column in table.values() for v in column):
        raise InputError(f"{path}: must hold at least one row of finite numbers{AGAIN}")
    if not text.endswith("\n"):
        raise InputError(f"{path}: damaged, its last line is cut short{AGAIN}")
    if length not in (None, len(rows)):
        raise InputError(f"{path}: found {len(rows)} rows, must be {length}{AGAIN}")
    return table


def _check_there(path: Path) -> None:
    """Raise what is wrong with a path that cannot be opened; safetensors says too little."""
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `dvc repro` makes it") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, must be a file") from None
    except ValueError:
        raise InputError(f"{str(path)!r}: no name that a file can have") from None


def _text(path: Path) -> str:
    _check_there(path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: damaged, not text{AGAIN}") from None


def _digest(header: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(header.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
    return digest.hexdigest()
