"""What an array must be before it is measured: one that cannot be meant raises ValueError."""

from __future__ import annotations

import numpy as np


def table(name: str, array: np.ndarray) -> np.ndarray:
    """The array as float64 [rows, columns]."""
    return finite(name, array, 2, "[rows, columns]")


def row(name: str, array: np.ndarray) -> np.ndarray:
    """The array as float64 [N]."""
    return finite(name, array, 1, "[N]")


def finite(name: str, array: np.ndarray, ndim: int, shape: str) -> np.ndarray:
    """The array as float64, checked for its dimensions and for finite numbers."""
    values = np.asarray(array, np.float64)
    if values.ndim != ndim or not values.size:
        raise ValueError(f"{name} is {values.shape}, must be {shape} and not empty")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has a NaN or an infinity")
    return values


def pixels(images: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [N, pixels], after the checks."""
    if images.ndim < 2 or not images.size or len(images) != len(output):
        raise ValueError(f"images are {images.shape} and output {output.shape}, must be [N, ...]")
    x, y = (table("pixels", a.reshape(len(a), -1)) for a in (images, output))
    if x.shape != y.shape:
        raise ValueError(f"images have {x.shape[1]} pixels, output has {y.shape[1]}")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"images are in {x.min():g} to {x.max():g}, must be in 0 to 1")
    return x, y


def labels(name: str, labels: np.ndarray, count: int) -> np.ndarray:
    """The labels, checked to be so many whole numbers."""
    labels = np.asarray(labels)
    if labels.shape != (count,) or not count or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} is {labels.dtype} {labels.shape}, must be {count} whole numbers")
    return labels


def split(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test latents with their labels, checked to fit one another."""
    a, b = table("train", train), table("test", test)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"train is {a.shape} and test {b.shape}, must be as wide")
    a_labels = labels("train_labels", train_labels, len(a))
    return a, a_labels, b, labels("test_labels", test_labels, len(b))


def percent(predicted: np.ndarray, true: np.ndarray) -> float:
    """Percentage of labels that are the true ones."""
    return 100 * np.count_nonzero(predicted == true) / len(true)
