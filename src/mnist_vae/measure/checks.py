"""What an array must be before it is measured: one that cannot be meant raises ValueError."""

from __future__ import annotations

import numpy as np


def matrix(name: str, array: np.ndarray) -> np.ndarray:
    """A finite array [rows, columns] as float64."""
    return _finite(name, array, 2, "[rows, columns]")


def vector(name: str, array: np.ndarray) -> np.ndarray:
    """A finite array [N] as float64."""
    return _finite(name, array, 1, "[N]")


def _finite(name: str, array: np.ndarray, ndim: int, shape: str) -> np.ndarray:
    values = np.asarray(array, np.float64)
    if values.ndim != ndim or not values.size:
        raise ValueError(f"{name} is {values.shape}, must be {shape} and not empty")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has a NaN or an infinity")
    return values


def pixels(images: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images in [0, 1] and a decoder's output for them, [N, ...] each, as float64 [N, pixels]."""
    if images.ndim < 2 or not images.size or len(images) != len(output):
        raise ValueError(f"images are {images.shape} and output {output.shape}, must be [N, ...]")
    x, y = (matrix("pixels", array.reshape(len(array), -1)) for array in (images, output))
    if x.shape != y.shape:
        raise ValueError(f"images have {x.shape[1]} pixels, output has {y.shape[1]}")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"images are in {x.min():g} to {x.max():g}, must be in 0 to 1")
    return x, y


def labels(name: str, array: np.ndarray, count: int) -> np.ndarray:
    """``count`` whole numbers, [count]."""
    values = np.asarray(array)
    if values.shape != (count,) or not count or not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{name} is {values.dtype} {values.shape}, must be {count} whole numbers")
    return values


def split(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Latents to learn from [N, D] and to test on [M, D], each with their labels."""
    x, y = matrix("train", train), matrix("test", test)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"train is {x.shape} and test {y.shape}, must be as wide")
    x_labels = labels("train_labels", train_labels, len(x))
    return x, x_labels, y, labels("test_labels", test_labels, len(y))
