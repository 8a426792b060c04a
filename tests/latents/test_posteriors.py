"""Draws from posteriors, against their moments."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from mnist_vae.latents.posteriors import sample


def test_a_sample_of_no_variance_is_the_mean(rng: Generator) -> None:
    mean = rng.standard_normal((5, 3), dtype=np.float32)
    for certain in (None, np.full_like(mean, -np.inf)):
        np.testing.assert_array_equal(sample(mean, certain, rng), mean)


def test_samples_have_the_posteriors_mean_and_variance(rng: Generator) -> None:
    mean = np.tile(np.array([0, 3, -2], np.float32), (40_000, 1))
    logvar = np.tile(np.log(np.array([1, 0.01, 9], np.float32)), (40_000, 1))
    drawn = sample(mean, logvar, rng)
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.mean(0), mean[0], atol=0.06)
    np.testing.assert_allclose(drawn.var(0), np.exp(logvar[0]), rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(3), atol=0.02)
