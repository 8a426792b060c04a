"""Pictures of any size, format and colour as arrays of one shape.

Each is resized so that its shorter side has the size asked for, and cropped to the square in its
middle, with Pillow's bilinear filter, which averages when it makes a picture smaller.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mnist_vae.errors import InputError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""Formats that are read, as Pillow calls them; a file is known by its contents, not its name."""
FILE_LIMIT = 256 * 2**20
"""Bytes of one picture's file."""
CHUNK = 64
"""Pictures that a thread takes at a time."""

Result = TypeVar("Result")


def read_pictures(
    paths: Sequence[str], size: int, channels: int, *, skip: bool
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Decode files to images uint8 [N, channels, size, size], in the order of ``paths``.

    Returns the images that could be read, which of the paths these are (bool [paths]), and a line
    for each of the others. Without ``skip`` the first of those raises InputError.
    """
    images = np.empty((len(paths), channels, size, size), np.uint8)

    def decode(start: int, stop: int) -> list[str]:
        faults = [""] * (stop - start)
        for index in range(start, stop):
            try:
                images[index] = read_picture(paths[index], size, channels)
            except InputError as error:
                if not skip:
                    raise
                faults[index - start] = str(error)
        return faults

    with warnings.catch_warnings():  # once for all threads: filters belong to the process
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        faults = list(chain.from_iterable(_in_parallel(decode, len(paths))))
    readable = np.array([not fault for fault in faults], bool)
    kept = np.flatnonzero(readable)
    for new, old in enumerate(kept):  # in place: a second copy may not fit the memory
        if new != old:
            images[new] = images[old]
    return images[: len(kept)], readable, [fault for fault in faults if fault]


def read_picture(path: str, size: int, channels: int) -> np.ndarray:
    """Decode one file to uint8 [channels, size, size]; raises InputError that names it.

    Of an animation the first frame is taken. EXIF's orientation is followed, what is transparent
    lies over white, and 16 bits of grey are scaled to 8.
    """
    try:
        length = os.stat(path).st_size  # noqa: PTH116
        if not 0 < length <= FILE_LIMIT:
            limit = f"{FILE_LIMIT // 2**20} MiB"
            raise InputError(f"{path}: {length} bytes, must be at least 1 and at most {limit}")
        with Image.open(path, formats=FORMATS) as image:
            # A JPEG is decoded no larger than needed: at twice the size the filter sees enough.
            image.draft("L" if channels == 1 else "RGB", (2 * size, 2 * size))
            return _fit(_to_8_bits(ImageOps.exif_transpose(image)), size, channels)
    except (InputError, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(
            f"{path}: holds more than {Image.MAX_IMAGE_PIXELS:,} pixels, too many to read"
        ) from None
    except UnidentifiedImageError:
        raise InputError(
            f"{path}: not an image in PNG, JPEG, WebP, GIF or BMP, or damaged"
        ) from None
    except Exception as error:  # damaged files make decoders stumble in many ways
        reason = getattr(error, "strerror", None) or error or type(error).__name__
        raise InputError(f"{path}: cannot be read: {' '.join(str(reason).split())}") from None


def fit_images(images: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Images uint8 [N, H, W] or [N, H, W, 1 or 3] as uint8 [N, channels, size, size]."""
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    found = 1 if images.ndim == 3 else 3
    if (*images.shape[1:3], found) == (size, size, channels):
        return images[:, None] if found == 1 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    fitted = np.empty((len(images), channels, size, size), np.uint8)

    def fit(start: int, stop: int) -> None:
        for index in range(start, stop):
            fitted[index] = _fit(Image.fromarray(images[index]), size, channels)

    _in_parallel(fit, len(images))
    return fitted


def _to_8_bits(image: Image.Image) -> Image.Image:
    """A picture in 8 bits a channel and without transparency."""
    if image.mode.startswith("I"):  # 16 bits of grey, be it in 32
        wide = np.asarray(image).astype(np.int64).clip(0, 65_535)
        return Image.fromarray(((wide * 255 + 32_767) // 65_535).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image


def _fit(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """A picture as uint8 [channels, size, size]."""
    image = image.convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    return np.asarray(fitted).reshape(size, size, channels).transpose(2, 0, 1)


def _in_parallel(work: Callable[[int, int], Result], count: int) -> list[Result]:
    """Call ``work`` for pieces of ``range(count)`` in threads (Pillow computes without the GIL).

    Returns the results in order; the first piece that fails, in this order, raises its error.
    """
    starts = range(0, count, CHUNK)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(work, starts, [min(at + CHUNK, count) for at in starts]))
        finally:
            pool.shutdown(cancel_futures=True)
