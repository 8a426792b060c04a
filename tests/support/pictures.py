"""Colour pictures: digits tinted and placed on textured backgrounds, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = np.array([[235, 90, 70], [250, 220, 90], [110, 200, 250], [240, 240, 240]], float)


def tint(digits: np.ndarray, size: int = 32, seed: int = 0) -> np.ndarray:
    """Pictures uint8 [N, size, size, 3] of digits uint8 [N, 28, 28]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    pictures = np.empty((len(digits), size, size, 3), np.uint8)
    for picture, digit in zip(pictures, digits, strict=True):
        angle, waves, phase = rng.uniform((0, 2, 0), (np.pi, 6, 2 * np.pi))
        stripes = np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
        ground = rng.uniform(20, 110, 3) * (1 + 0.3 * stripes[..., None])
        ground += rng.normal(0, 4, ground.shape)
        mask = np.zeros((size, size, 1))
        row, column = rng.integers(0, size - 27, 2)
        mask[row : row + 28, column : column + 28, 0] = digit / 255
        colour = COLOURS[rng.integers(len(COLOURS))]
        picture[:] = np.clip(ground * (1 - mask) + colour * mask, 0, 255)
    return pictures


def save(folder: Path, pictures: np.ndarray, names: Sequence[str], suffix: str = "png") -> None:
    """Write each of ``pictures`` [N, H, W] or [N, H, W, 3] below a folder of its name."""
    for number, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        path = folder / name / f"{number:05}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
