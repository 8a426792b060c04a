"""Latents of classes and between them, against loops."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import Generator
from support.networks import LABELS

from mnist_vae.errors import InputError
from mnist_vae.latents.classes import class_posteriors, interpolate


@pytest.mark.parametrize("variational", [True, False])
def test_class_posteriors_against_a_loop(rng: Generator, variational: bool) -> None:
    mean, logvar = rng.standard_normal((2, 256, 3))
    sums, counts = np.zeros((2, 10, 3)), np.zeros(10)
    for i, label in enumerate(LABELS):
        sums[:, label] += mean[i], logvar[i]
        counts[label] += 1
    means, logvars = class_posteriors(mean, logvar if variational else None, LABELS, 10)
    np.testing.assert_allclose(means, sums[0] / counts[:, None])
    if variational:
        assert logvars is not None
        np.testing.assert_allclose(logvars, sums[1] / counts[:, None])
    else:
        assert logvars is None


def test_a_class_without_images_is_named(rng: Generator) -> None:
    labels = np.repeat([0, 1, 3], 2).astype(np.uint8)
    with pytest.raises(InputError, match="no test image has the label 2: every class needs one"):
        class_posteriors(rng.standard_normal((6, 3)), None, labels, classes=4)


@pytest.mark.parametrize("steps", [2, 5, 11, 50])
def test_the_corners_of_an_interpolation_are_the_classes_themselves(
    rng: Generator, steps: int
) -> None:
    a, b, c, d = corners = rng.standard_normal((4, 16), dtype=np.float32)
    grid = interpolate(corners, steps)
    assert grid.shape == (steps, steps, 16)
    assert grid.dtype == np.float32
    for place, corner in (((-1, -1), a), ((0, -1), b), ((-1, 0), c), ((0, 0), d)):
        np.testing.assert_array_equal(grid[place], corner)


def test_an_interpolation_is_the_notebooks(rng: Generator) -> None:
    sample1, sample2, sample3, sample4 = corners = rng.standard_normal((4, 16))
    grid = interpolate(corners, 11)
    for i, alpha1 in enumerate(np.arange(0.0, 1.1, 0.1)):
        for j, alpha2 in enumerate(np.arange(0.0, 1.1, 0.1)):
            new_vector = (alpha1 * sample1 + (1 - alpha1) * sample2) * alpha2 + (1 - alpha2) * (
                alpha1 * sample3 + (1 - alpha1) * sample4
            )
            np.testing.assert_allclose(grid[i, j], new_vector, atol=1e-6)
