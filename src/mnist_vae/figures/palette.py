"""A colour for each class: the ten of the settings, and more where there are more classes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_hex, to_rgb

LEVELS = np.linspace(0, 1, 12)  # of red, green and blue, among which further colours are sought
LIGHTNESS = 0.35, 0.85  # of these, from 0 (black) to 1 (white): the paper is white, the text black


def colours(palette: Sequence[str], count: int) -> tuple[str, ...]:
    """The first ``count`` colours of a palette, which goes on if it is too short.

    Each further colour is the one farthest from all before it, and from white, as eyes see them:
    by Euclidean distance in OKLab. Up to about 20 can be told apart, more cannot.
    """
    chosen = [to_rgb(colour) for colour in palette[:count]]
    if count > len(palette):
        candidates = np.array(list(itertools.product(LEVELS, repeat=3)))
        seen = _oklab(candidates)
        usable = (seen[:, 0] > LIGHTNESS[0]) & (seen[:, 0] < LIGHTNESS[1])
        candidates, seen = candidates[usable], seen[usable]
        taken = _oklab(np.array([*chosen, (1, 1, 1)]))
        nearest = np.linalg.norm(seen[:, None] - taken, axis=2).min(1)
        for _ in range(count - len(palette)):
            farthest = nearest.argmax()
            chosen.append(tuple(candidates[farthest].tolist()))
            nearest = np.minimum(nearest, np.linalg.norm(seen - seen[farthest], axis=1))
    return tuple(to_hex(colour) for colour in chosen)


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """Colours sRGB [N, 3] as lightness, green to red and blue to yellow, [N, 3] (Ottosson 2020)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
