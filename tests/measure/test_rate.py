from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import Generator
from torch.distributions import Normal, kl_divergence

from mnist_vae.measure.rate import active, rate
from mnist_vae.train import objective


def test_rate_is_the_kl_of_torch(rng: Generator) -> None:
    mean, logvar = rng.normal(size=(2, 50, 4)) * 3
    posterior = Normal(torch.tensor(mean), torch.tensor(logvar / 2).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).mean(0)
    assert rate(mean, logvar) == pytest.approx(expected.numpy())


def test_rate_is_the_mean_of_the_kl_that_training_uses(rng: Generator) -> None:
    mean, logvar = rng.normal(size=(2, 50, 4)) * 3
    kl = objective.kl_divergence(torch.tensor(mean), torch.tensor(logvar))
    of_each = [rate(m[None], v[None]).sum() for m, v in zip(mean, logvar, strict=True)]
    assert of_each == pytest.approx(kl.numpy())
    assert rate(mean, logvar).sum() == pytest.approx(kl.mean().item())


def test_rate_is_zero_at_the_prior_and_keeps_its_digits_beside_it() -> None:
    zero = np.zeros((5, 3))
    assert rate(zero, zero).tolist() == [0, 0, 0]
    # The leading term of the KL in a small log-variance v is v² / 4.
    assert rate(zero, zero + 1e-7) == pytest.approx(np.full(3, 2.5e-15), rel=1e-4, abs=0)


def test_active_are_the_dimensions_whose_means_vary() -> None:
    sign = np.tile([-1.0, 1.0], 50)[:, None]
    # Variances 4, 0.0121, 0.0081 and 0; a constant far from 0 is not active.
    mean = sign * [2, 0.11, 0.09, 0] + [0, 5, 5, 5]
    assert active(mean).tolist() == [True, True, False, False]
    assert not active(np.zeros((10, 16))).any()
