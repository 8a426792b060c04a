"""The table of a study: a CSV with a row a training, and nothing where a number does not apply."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files import store

TEXT = ("dataset", "binarise", "recipe", "model", "kind", "likelihood")
WHOLE = ("latent_dim", "seed")
LEADING = (*TEXT, "latent_dim", "kl_weight", "seed")
"""What was trained on what and how; all other columns are numbers that were measured."""


def write(path: Path, rows: Sequence[Mapping[str, float | str]]) -> None:
    """Publish rows, each with the columns that apply to it, as the fullest row orders them."""
    fullest_first = sorted(rows, key=len, reverse=True)
    columns = dict.fromkeys([*LEADING, *(name for row in fullest_first for name in row)])
    store.write_table(path, list(columns), rows)


def read(path: Path) -> dict[str, np.ndarray]:
    """The columns, [rows] each: text, whole numbers, or float64 with NaN where nothing stands.

    Raises InputError when the file is missing, damaged or another table.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        if not rows or not text.endswith("\n") or not {*LEADING} <= rows[0].keys():
            raise ValueError
        table = {name: _column(name, [row[name] for row in rows]) for name in rows[0]}
    except FileNotFoundError:
        raise InputError(f"{path}: not found; `make study` makes it") from None
    except (csv.Error, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: damaged, or not the table of a study{AGAIN}") from None
    return table


AGAIN = "; delete it and run `make study`"


def _column(name: str, cells: Sequence[str]) -> np.ndarray:
    if name in TEXT:
        return np.array(cells)
    if name in WHOLE:
        return np.array([int(cell) for cell in cells])
    numbers = np.array([float(cell) if cell else math.nan for cell in cells])
    if any(cell and not math.isfinite(number) for cell, number in zip(cells, numbers, strict=True)):
        raise ValueError
    return numbers
