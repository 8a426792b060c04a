from __future__ import annotations

import math

import numpy as np
import pytest

from mnist_vae.measure.distortion import distortion, squared_error


@pytest.mark.parametrize("shape", [(3, 784), (3, 28, 28), (3, 1, 28, 28)])
def test_squared_error_sums_over_pixels(shape: tuple[int, ...]) -> None:
    images = np.full(shape, 0.5, np.float32)
    shift = np.array([0, 0.25, -0.5], np.float32).reshape(3, *[1] * len(shape[1:]))
    assert squared_error(images, images + shift).tolist() == [0, 49, 196]


def test_images_may_be_whole_numbers_of_0_and_1() -> None:
    black, white = np.zeros((2, 784), np.uint8), np.ones((2, 784), np.uint8)
    assert squared_error(black, white).tolist() == [784, 784]


def test_distortion_of_a_known_error() -> None:
    images = np.zeros((4, 28, 28))
    assert distortion(images, images + 0.1) == pytest.approx((7.84, 0.01, 20))
    assert distortion(images, images) == (0, 0, math.inf)
