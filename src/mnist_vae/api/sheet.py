"""Decoded images as picture files."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

GAP = 2
"""Pixels between the tiles of a sheet."""


def to_png(pixels: np.ndarray) -> bytes:
    """An image [C, H, W] in [0, 1], grey or colour, as a PNG file."""
    values = np.rint(255 * pixels).astype(np.uint8).transpose(1, 2, 0)
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(file, "PNG")
    return file.getvalue()


def lay_out(images: np.ndarray) -> np.ndarray:
    """Images [N, C, H, W] as one image [C, H', W'], in rows that make about a square."""
    count, channels, height, width = images.shape
    columns = max(1, math.ceil(math.sqrt(count)))
    rows = max(1, math.ceil(count / columns))
    down, right = height + GAP, width + GAP
    sheet = np.ones((channels, rows * down, columns * right), np.float32)
    for index, image in enumerate(images):
        y, x = index // columns * down, index % columns * right
        sheet[:, y : y + height, x : x + width] = image
    return sheet[:, :-GAP, :-GAP]
