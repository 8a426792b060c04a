"""A data set in colour: MNIST's digits, tinted and placed on textured grounds, always the same.

Usage: python benchmarks/tinted.py. Needs data/, which `make reproduce` leaves, with MNIST; writes
datasets/tinted.npz: 30,000 training images and 5,000 test images, 32 x 32 in colour.
"""

from __future__ import annotations

from beside import ROOT, run

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.split import read_split

COLOURS = np.array([[235, 90, 70], [250, 220, 90], [110, 200, 250], [240, 240, 240]], float)
OUTPUT = ROOT / "datasets" / "tinted.npz"
TRAIN, TEST = 30_000, 5_000


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


def main() -> None:
    train, test = read_split("train", grey=True), read_split("test", grey=True)
    if train.labels is None or test.labels is None:
        raise InputError("data: found images without labels, needs MNIST's")
    with store.replacing(OUTPUT) as path, path.open("wb") as file:
        np.savez(
            file,
            images=tint(train.images[:TRAIN, 0], seed=3),
            labels=train.labels[:TRAIN],
            test_images=tint(test.images[:TEST, 0], seed=4),
            test_labels=test.labels[:TEST],
        )


if __name__ == "__main__":
    run(main)
