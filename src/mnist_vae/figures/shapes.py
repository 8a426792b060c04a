"""The check of shapes that every drawing begins with."""

from __future__ import annotations

import numpy as np


def check_shape(name: str, array: np.ndarray, *shape: int | None) -> None:
    """Raise ValueError unless the array has this shape, in which None is any size."""
    fits = [size in (None, actual) for size, actual in zip(shape, array.shape, strict=False)]
    if array.ndim != len(shape) or not all(fits):
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: found the shape {array.shape}, must be ({sizes})")
