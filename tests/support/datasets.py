"""Small data sets that are not MNIST: in colour and without labels, and grey with three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mnist_vae.files.images import IMAGES, ImagesFacts

SHAPES = ("disc", "a long name: $x_1$ & <b>", "_bars")


def draw_shapes(labels: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Grey images, uint8 [N, 1, size, size], of a disc, a square or bars, by label [N]."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = rng.uniform(size / 5, size / 3, (len(labels), 1, 1))
    masks = (
        np.hypot(x, y) < radius,
        np.maximum(np.abs(x), np.abs(y)) < radius,
        np.sin(x + radius) > 0,
    )
    mask = np.choose(labels[:, None, None], masks)
    pixels = mask * rng.uniform(120, 255, (len(labels), 1, 1))
    return pixels.astype(np.uint8)[:, None]


def tint(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grey images in random colours on a texture, uint8 [N, 3, size, size]."""
    count, _, size, _ = images.shape
    y, x = np.mgrid[:size, :size] / size
    waves, colour, back = (
        rng.uniform(-20, 20, (2, count, 1, 1, 1)),
        *rng.uniform(0.2, 1, (2, count, 3, 1, 1)),
    )
    texture = back * (0.5 + 0.3 * np.sin(waves[0] * x + waves[1] * y))
    mask = images / 255
    return np.rint(255 * (mask * colour + (1 - mask) * texture)).astype(np.uint8)


def write_shapes(
    folder: Path, *, size: int, counts: tuple[int, int], colour: bool, labelled: bool
) -> None:
    """Write what the download stage would write of such a data set called "shapes"."""
    rng = np.random.default_rng(0)
    for split, count in (("train", counts[0]), ("test", counts[1])):
        labels = (np.arange(count) % 3).astype(np.uint8)
        images = draw_shapes(labels, size, rng)
        arrays = {"images": tint(images, rng) if colour else images}
        if labelled:
            arrays["labels"] = labels
        facts = ImagesFacts(
            split="train" if split == "train" else "test",
            dataset="shapes",
            classes=SHAPES if labelled else (),
        )
        IMAGES.write(folder / f"data/{split}.safetensors", arrays, facts)
