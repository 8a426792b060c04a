from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.random import Generator
from scipy.stats import multivariate_normal, norm

from mnist_vae.measure.likelihood import bits_per_dimension, elbo, importance_nll
from mnist_vae.measure.rate import rate


class LinearVAE:
    """Probabilistic PCA, x ~ N(Wz + b, s²I): a VAE whose likelihood is known in closed form."""

    def __init__(self, rng: Generator, n: int = 200, d: int = 2, p: int = 5) -> None:
        self.w, self.b, self.s = rng.normal(size=(p, d)), rng.normal(size=p), 0.6
        self.x = rng.normal(size=(n, d)) @ self.w.T + self.b + self.s * rng.normal(size=(n, p))
        # The true posterior: a mean [N, D] for each image, one covariance [D, D] for all.
        self.covariance = np.linalg.inv(np.eye(d) + self.w.T @ self.w / self.s**2)
        self.mean = (self.x - self.b) @ self.w @ self.covariance / self.s**2
        marginal = multivariate_normal(self.b, self.w @ self.w.T + self.s**2 * np.eye(p))
        self.nll = float(-marginal.logpdf(self.x).mean())

    def log_weights(
        self, mean: np.ndarray, covariance: np.ndarray, k: int, rng: Generator
    ) -> np.ndarray:
        """For k draws from N(mean, covariance) as the approximate posterior, [N, k]."""
        q = multivariate_normal(cov=covariance)
        step = q.rvs((len(self.x), k), random_state=rng).reshape(len(self.x), k, -1)
        z = mean[:, None] + step
        log_p = norm(scale=self.s).logpdf(self.x[:, None] - z @ self.w.T - self.b).sum(-1)
        log_q = q.logpdf(step).reshape(len(self.x), k)
        return np.asarray(log_p + norm.logpdf(z).sum(-1) - log_q)


def test_importance_nll_falls_to_the_exact_likelihood(rng: Generator) -> None:
    vae = LinearVAE(rng)
    # A posterior both shifted and too wide, as an encoder's would be.
    weights = vae.log_weights(vae.mean + 0.2, 2 * vae.covariance, 4000, rng)
    nll = [importance_nll(weights[:, :k]).mean for k in (1, 5, 50, 4000)]
    assert nll == sorted(nll, reverse=True)
    assert nll[0] > vae.nll + 0.1
    assert nll[-1] == pytest.approx(vae.nll, abs=0.005)


@pytest.mark.parametrize("k", [1, 7])
def test_importance_nll_is_exact_under_the_true_posterior(rng: Generator, k: int) -> None:
    vae = LinearVAE(rng)
    weights = vae.log_weights(vae.mean, vae.covariance, k, rng)
    assert importance_nll(weights).mean == pytest.approx(vae.nll)


def test_importance_nll_of_one_draw_is_minus_the_elbo(rng: Generator) -> None:
    vae = LinearVAE(rng, n=20_000)
    mean, variance = 0.8 * vae.mean, np.diag(vae.covariance)
    one = importance_nll(vae.log_weights(mean, np.diag(variance), 1, rng))

    # E_q of the squared error in closed form: at the mean, and what the posterior's spread adds.
    error = ((vae.x - mean @ vae.w.T - vae.b) ** 2).sum(1) + (vae.w**2 @ variance).sum()
    log_likelihood = -0.5 * (error / vae.s**2 + len(vae.b) * math.log(2 * math.pi * vae.s**2))
    bound = elbo(log_likelihood, rate(mean, np.broadcast_to(np.log(variance), mean.shape)))
    assert one.mean == pytest.approx(-bound, abs=4 * one.standard_error)
    assert -bound > vae.nll


def test_importance_nll_and_its_standard_error_by_hand() -> None:
    weights = np.log([[1.0, 3.0], [2.0, 6.0]]) - 10_000  # far below what exp can hold
    nll = importance_nll(weights)
    assert nll.mean == pytest.approx(10_000 - math.log(2 * 4) / 2)
    assert nll.standard_error == pytest.approx(math.log(2) / 2)
    # (1 + 3)² / (1² + 3²), the same for both images.
    assert nll.effective == pytest.approx(1.6)
    no_weight = np.array([[0, -math.inf], [0, -math.inf]])
    assert importance_nll(no_weight).mean == pytest.approx(math.log(2))


@pytest.mark.parametrize(("count", "stands"), [(1, False), (4, False), (6, True), (9, True)])
def test_an_nll_stands_on_enough_draws_in_half_of_the_images(count: int, stands: bool) -> None:
    equal = np.zeros((5, 9))
    equal[:3, count:] = -math.inf  # in three of five images only some draws count
    found = importance_nll(equal)
    assert found.effective == pytest.approx(count)
    assert found.stands == stands
    assert importance_nll(equal - 1e6).effective == pytest.approx(count)


def test_bits_per_dimension() -> None:
    assert bits_per_dimension(784 * math.log(2), 784) == pytest.approx(1)
    assert bits_per_dimension(math.log(4), 2) == pytest.approx(1)


def test_importance_nll_adds_in_double_precision(rng: Generator) -> None:
    weights = rng.normal(size=(50, 20)).astype(np.float32) - 700
    assert importance_nll(weights) == importance_nll(weights.astype(np.float64))


@pytest.mark.parametrize(
    ("weights", "complaint"),
    [
        (np.zeros(4), r"^log_weights is \(4,\), must be \[N, K\] with N at least 2$"),
        (np.zeros((2, 3, 4)), r"^log_weights is \(2, 3, 4\), must be \[N, K\] with N at least 2$"),
        (np.array([[0, np.nan], [0, 0]]), r"^log_weights has a NaN or \+inf$"),
        (np.array([[0, np.inf], [0, 0]]), r"^log_weights has a NaN or \+inf$"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(weights: np.ndarray, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        importance_nll(weights)
