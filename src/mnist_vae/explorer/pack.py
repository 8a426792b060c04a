"""Arrays as text that a page can hold.

Weights are whole numbers of 16 bits with a scale for each row: as large as float16, and some
thirty times as exact for the largest weights, which is what sums of products show.
"""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

LEVELS = 16
"""Shades of grey, or of each colour, that thumbnails keep."""


def pack(array: np.ndarray, bits: int = 16) -> dict[str, Any]:
    """An array [R, ...] of numbers as whole ones of 8 or 16 bits, scaled row by row.

    Both are little-endian and in base64, as ``unpack`` of templates/network.js reads them.
    """
    rows = np.asarray(array, np.float32).reshape(len(array), -1)
    largest = 2 ** (bits - 1) - 1
    scale = (np.abs(rows).max(1, keepdims=True) / largest).astype("<f4")
    whole = np.rint(rows / np.where(scale > 0, scale, 1)).clip(-largest, largest)
    return {
        "shape": list(array.shape),
        "bits": bits,
        "data": base64.b64encode(whole.astype(f"<i{bits // 8}").tobytes()).decode(),
        "scale": base64.b64encode(scale.tobytes()).decode(),
    }


def unpack(packed: dict[str, Any]) -> np.ndarray:
    """The float32 array that a page makes of what ``pack`` gave."""
    whole = np.frombuffer(base64.b64decode(packed["data"]), f"<i{packed['bits'] // 8}")
    scale = np.frombuffer(base64.b64decode(packed["scale"]), "<f4")
    values = whole.reshape(len(scale), -1) * scale[:, None]
    return values.astype(np.float32).reshape(packed["shape"])


def small_numbers(array: np.ndarray) -> str:
    """Whole numbers below 256 in base64."""
    return base64.b64encode(np.asarray(array, np.uint8).tobytes()).decode()


def sprite(images: np.ndarray, columns: int) -> str:
    """Images, uint8 [N, C, H, W], in rows of ``columns`` as the address of one PNG.

    In 16 shades: a third of the size, and the eye sees no difference in a thumbnail.
    """
    count, channels, height, width = images.shape
    lines = -(-count // columns)
    step = 255 // (LEVELS - 1)
    tiles = np.zeros((lines * columns, channels, height, width), np.uint8)
    tiles[:count] = np.rint(images / step) * step
    sheet = tiles.reshape(lines, columns, channels, height, width).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(lines * height, columns * width, channels)
    file = io.BytesIO()
    Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet).save(file, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
