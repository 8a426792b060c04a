"""The sizes of maps between strided convolutions, and how many channels they have.

A convolution of stride 2 halves a map, and a size that is odd rounds up. As many of them follow one
another as bring an image of 8 to 256 pixels to a grid of 4 to 8.
"""

from __future__ import annotations

from collections.abc import Sequence

LARGEST = 8  # pixels across the grid that one last convolution covers


def sizes(image_size: int) -> tuple[int, ...]:
    """Pixels across the image, across each map, and last across the grid: 28, 14, 7.

    At least one stride is taken. Raises ValueError for an ``image_size`` that is no multiple of 4
    from 8 to 256.
    """
    if image_size % 4 or not 8 <= image_size <= 256:
        raise ValueError(f"image_size is {image_size}, must be a multiple of 4 from 8 to 256")
    maps = [image_size, image_size // 2]
    while maps[-1] > LARGEST:
        maps.append((maps[-1] + 1) // 2)
    return tuple(maps)


def widths(image_size: int, last: int) -> tuple[int, ...]:
    """Channels after each convolution: 16, twice as many after each stride, and ``last``."""
    return (*(16 << stride for stride in range(len(sizes(image_size)) - 1)), last)


def check_widths(image_size: int, given: Sequence[int]) -> None:
    """Raise ValueError unless there are channels for each convolution."""
    needed = len(sizes(image_size))
    if len(given) != needed:
        raise ValueError(
            f"widths has {len(given)} numbers, must have {needed} for images of {image_size} x "
            f"{image_size} pixels: for {needed - 1} strided convolutions and the last one"
        )
