"""The loss curve of a training: a CSV table with a row an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mnist_vae.files import store
from mnist_vae.files.store import Arrays

COLUMNS = ("epoch", "loss", "squared_error")


def write(path: Path, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
    """Publish the number and the means of each epoch, the columns always in the same order."""
    names = [name for name in (*COLUMNS[1:], "kl") if name in epochs[0][1]]
    rows = [{"epoch": number} | {name: means[name] for name in names} for number, means in epochs]
    store.write_table(path, ["epoch", *names], rows)


def read(path: Path, *, variational: bool = False, length: int | None = None) -> Arrays:
    """The columns, float64 [E] each: those of COLUMNS, of a VAE ``kl`` too.

    Raises InputError when the file is damaged or not of ``length`` epochs, if that is given.
    """
    columns = (*COLUMNS, "kl") if variational else COLUMNS
    return store.read_table(path, *columns, length=length)
