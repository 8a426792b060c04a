"""How far reconstructions are from their images."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mnist_vae.measure import checks


class Distortion(NamedTuple):
    """How far reconstructions are from their images, averaged over images."""

    per_image: float
    """Squared error summed over pixels."""
    per_pixel: float
    """Mean squared error; also the variance at which a Gaussian decoder is calibrated."""
    psnr: float
    """Peak signal-to-noise ratio in dB; infinite without any error."""


def squared_error(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Squared error summed over the pixels of each image, [N].

    Both are [N, pixels] or [N, C, H, W] (any shape after N), the images in [0, 1]. It is what the
    notebook trains on, so its own figures can be set beside it. Computed in float64. Raises
    ValueError for arrays that do not fit each other or that hold a NaN.
    """
    x, y = checks.pixels(images, reconstructions)
    difference = x - y
    return np.asarray(np.einsum("np,np->n", difference, difference))


def distortion(images: np.ndarray, reconstructions: np.ndarray) -> Distortion:
    """Squared error per image and per pixel, and its PSNR for pixels that peak at 1.

    PSNR is taken from the mean squared error of all images, not averaged over images: one image
    that is reproduced almost exactly would decide that average.
    """
    errors = squared_error(images, reconstructions)
    per_image = float(errors.mean())
    per_pixel = per_image * len(errors) / np.size(images)
    return Distortion(per_image, per_pixel, -10 * math.log10(per_pixel) if per_pixel else math.inf)
