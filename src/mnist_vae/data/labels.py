"""Labels as people write them, whole numbers or text, as names of classes and uint8."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mnist_vae.data.idx import Split
from mnist_vae.errors import InputError

CLASS_LIMIT = 100
"""Classes that a data set may have."""


def name_classes(
    labels: Mapping[Split, np.ndarray],
) -> tuple[tuple[str, ...], dict[Split, np.ndarray]]:
    """Names of the classes, and the labels uint8 [N] of each split that index them.

    Labels that are text name their classes, sorted; whole numbers are their own names, from 0.
    Raises InputError for too many or too few classes, and for labels of two sorts.
    """
    if not labels:
        return (), {}
    if all(array.dtype.kind == "U" for array in labels.values()):
        names = np.unique(labels["train"])
        for split, array in labels.items():
            if unknown := sorted({*np.unique(array).tolist()} - {*names.tolist()}):
                raise InputError(f"{split} labels hold {unknown[0]!r}, training labels do not")
        classes = tuple(names.tolist())
        indices = {split: np.searchsorted(names, array) for split, array in labels.items()}
    else:
        for split, array in labels.items():
            text = array.dtype.kind == "U"
            if text or not 0 <= array.min() <= array.max() < CLASS_LIMIT:
                found = "text" if text else f"{array.min()} to {array.max()}"
                must = f"whole numbers from 0 to {CLASS_LIMIT - 1}"
                raise InputError(f"{split} labels hold {found}, must be {must}")
        indices = dict(labels)
        classes = tuple(map(str, range(1 + max(int(a.max()) for a in labels.values()))))
    check_classes(classes)
    return classes, {split: array.astype(np.uint8) for split, array in indices.items()}


def check_classes(classes: tuple[str, ...]) -> None:
    """Raise InputError unless there are no classes or 2 to 100, of names that can be shown."""
    if len(classes) == 1 or len(classes) > CLASS_LIMIT:
        found = f"{len(classes)} classes" if len(classes) > 1 else f"one class, {classes[0]!r}"
        raise InputError(f"{found}, must be none or 2 to {CLASS_LIMIT}")
    for name in classes:
        if not name.isprintable() or not name.strip():
            raise InputError(f"a class is named {name!r}, must be text that can be shown")
