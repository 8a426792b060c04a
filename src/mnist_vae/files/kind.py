"""A kind of array file, declared once: what its writer must give is what its readers can rely on.

A kind names its arrays, each with its form: ``"float32 N D"`` is a type and a shape, in which a
letter is any size but 0, the same wherever it stands in the file; ``"uint8<10 N"`` has values below
10, and ``"uint8<K N"`` below the size K of an array before it. Floats have to be finite, and within
±``LARGEST``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.store import Arrays
from mnist_vae.settings import Settings, check

Facts = TypeVar("Facts", bound=Settings)
LARGEST = 1e9
"""Floats beyond it are nonsense here, and their squares and sums would soon not be finite."""


@dataclasses.dataclass(frozen=True)
class Kind(Generic[Facts]):
    """Arrays that stand in one file, with facts about them."""

    what: str
    """The name of the kind, which stands in the file."""
    facts: type[Facts]
    """What else stands in it, as settings do in params.yaml."""
    arrays: Mapping[str, str]
    """The form of each array that every file has."""
    optional: tuple[Mapping[str, str], ...] = ()
    """The same of groups of arrays, each of which a file has whole or not at all."""

    def write(self, path: Path, arrays: Mapping[str, np.ndarray], facts: Facts) -> None:
        """Publish arrays and facts at ``path`` atomically.

        Raises ValueError for arrays that are not of this kind, InputError for numbers that it
        cannot hold, which a model with wrong weights makes, OSError that names the path.
        """
        fault, of_numbers = self._fault(arrays)
        if fault and of_numbers:
            raise InputError(f"{path}: not written: {fault}")
        if fault:
            raise ValueError(f"{path}: not {self.what}: {fault}")
        store.write_arrays(path, self.what, arrays, **msgspec.to_builtins(facts))

    def read(
        self,
        path: Path,
        *,
        needs: Collection[str] = (),
        sizes: Mapping[str, int] | None = None,
        **expected: Any,
    ) -> tuple[Arrays, Facts]:
        """The arrays and the facts of a file.

        ``needs`` are optional arrays that must be there, ``sizes`` what letters of the shapes must
        be, ``expected`` facts that must hold. Raises InputError, naming the path, for a file that
        is missing, damaged, of another kind or another model.
        """
        arrays, facts = store.read_arrays(path, self.what, **expected)
        checked = check(facts, self.facts, f"{path}: facts")
        missing = [f"lacks {name}" for name in needs if name not in arrays]
        for fault in (*missing, self._fault(arrays, sizes)[0]):
            if fault:
                raise InputError(f"{path}: {fault}{store.AGAIN}")
        return arrays, checked

    def _fault(
        self, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int] | None = None
    ) -> tuple[str, bool]:
        """Why arrays are not of this kind, or nothing; and whether that is for their numbers."""
        forms = dict(self.arrays)
        for group in self.optional:
            if group.keys() & arrays.keys():
                forms |= group
        known = dict(sizes or {})
        faults = [_fault(name, arrays.get(name), form, known) for name, form in forms.items()]
        faults += [f"holds {name}, which {self.what} do not" for name in arrays.keys() - forms]
        if fault := next(filter(None, faults), ""):
            return fault, False
        numbers = (_beyond(name, arrays[name], form, known) for name, form in forms.items())
        return next(filter(None, numbers), ""), True


def _fault(name: str, array: np.ndarray | None, form: str, sizes: dict[str, int]) -> str:
    """Why an array has not this form, or nothing; letters get their ``sizes`` on the way."""
    if array is None:
        return f"lacks {name}"
    kind, *letters = form.split()
    dtype = kind.partition("<")[0]
    for letter, size in zip(letters, array.shape, strict=False):
        if letter.isdigit() or size:
            sizes.setdefault(letter, int(letter) if letter.isdigit() else size)
    shape = tuple(sizes.get(letter, letter) for letter in letters)
    if (array.dtype.name, array.shape) != (dtype, shape):
        must = f"{dtype} ({', '.join(map(str, shape))})"
        return f"{name} is {array.dtype} {array.shape}, must be {must}"
    return ""


def _beyond(name: str, array: np.ndarray, form: str, sizes: Mapping[str, int]) -> str:
    """Why the numbers of an array of this form cannot be, or nothing."""
    least, most = array.min(), array.max()
    if array.dtype.kind == "f":
        if not math.isfinite(float(least) + float(most)):
            return f"{name} holds a number that is not finite"
        if largest := next((x for x in (least, most) if abs(x) > LARGEST), None):
            return f"{name} holds {largest:g}, must be from {-LARGEST:g} to {LARGEST:g}"
    bound = form.split()[0].partition("<")[2]
    limit = int(bound) if bound.isdigit() else sizes.get(bound)
    if limit is not None and most >= limit:
        return f"{name} holds {most:g}, must be below {limit}"
    return ""
