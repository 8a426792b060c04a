"""A colour for each class: those of the settings, and more where there are more classes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_hex, to_rgb

LEVELS = np.linspace(0, 1, 12)  # of red, green and blue, among which further colours are sought
PAGES = "#ffffff", "#14181b"  # the grounds on which all colours are seen
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of red, green and blue
CONTRAST = 3.0  # with both, at least (WCAG 2.2, 1.4.11)


def colours(palette: Sequence[str], count: int) -> tuple[str, ...]:
    """As many colours as there are classes.

    A palette of so many is taken as it is. Of a longer one those are chosen that differ most, and a
    shorter one goes on with such. Up to about 20 can be told apart, more cannot.
    """
    given = np.array([to_rgb(colour) for colour in palette])
    if count < len(given):
        chosen = _farthest(given, given[:0], count)
    else:
        every = np.array(list(itertools.product(LEVELS, repeat=3)))
        usable = every[contrast(every) >= CONTRAST]
        chosen = np.concatenate([given, _farthest(usable, given, count - len(given))])
    return tuple(to_hex(colour) for colour in chosen)


def contrast(rgb: np.ndarray) -> np.ndarray:
    """The contrast of colours sRGB [N, 3] with both pages, the lower of the two [N]."""
    own, pages = (_linear(c) @ LUMINANCE + 0.05 for c in (rgb, np.array([*map(to_rgb, PAGES)])))
    ratio = own[:, None] / pages
    return np.asarray(np.maximum(ratio, 1 / ratio).min(1))


def _farthest(candidates: np.ndarray, taken: np.ndarray, count: int) -> np.ndarray:
    """``count`` of candidates sRGB [N, 3], each the farthest from all before it and from white.

    As eyes see them: by Euclidean distance in OKLab. ``taken`` [M, 3] come before the first.
    """
    seen, before = _oklab(candidates), _oklab(np.array([[1.0, 1, 1], *taken]))
    nearest = np.linalg.norm(seen[:, None] - before, axis=2).min(1)
    chosen = []
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(seen - seen[chosen[-1]], axis=1))
    return candidates[chosen]


def _linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB as linear light."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """Colours sRGB [N, 3] as lightness, green to red and blue to yellow, [N, 3] (Ottosson 2020)."""
    cones = _linear(rgb) @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.asarray(
        np.cbrt(cones)
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )
