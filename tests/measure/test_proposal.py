"""The proposal against models whose likelihood is known: in closed form or by a sum over a grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from support.networks import make_network
from torch import Tensor

from mnist_vae.measure import proposal
from mnist_vae.measure.likelihood import Estimate, importance_nll
from mnist_vae.nets.likelihood import KINDS, Fixed, Likelihood, Name

DRAWS = 400


class Linear(Fixed):
    """A Gaussian of the logits themselves, as probabilistic PCA has it."""

    def log_probability(self, images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
        assert variance is not None
        error = (images.double() - logits.double()).square().flatten(1)
        return -0.5 * (error / variance + math.log(2 * math.pi * variance)).sum(1)

    def slopes(
        self, images: Tensor, logits: Tensor, variance: float | None
    ) -> tuple[Tensor, Tensor]:
        assert variance is not None
        return (images - logits) / variance, torch.full_like(logits, 1 / variance)


class LinearVAE:
    """Probabilistic PCA, x ~ N(Wz + b, variance · I), whose likelihood is known."""

    def __init__(self, variance: float, n: int = 100, dim: int = 6, pixels: int = 20) -> None:
        generator = torch.Generator().manual_seed(3)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.w, self.b, self.variance = normal(pixels, dim), normal(pixels), variance
        self.images = self._decode(normal(n, dim)) + variance**0.5 * normal(n, 1, 1, pixels)
        marginal = self.w @ self.w.T + variance * torch.eye(pixels).double()
        density = multivariate_normal(self.b.numpy(), marginal.numpy())
        self.nll = float(-density.logpdf(self.images.flatten(1).numpy()).mean())
        self.precision = torch.eye(dim).double() + self.w.T @ self.w / variance
        error = (self.images[:, 0, 0] - self.b) @ self.w / variance
        self.mean = torch.linalg.solve(self.precision, error.T).T
        self.encoder = self.mean + 3 + normal(n, dim)  # wrong on purpose

    def _decode(self, z: Tensor) -> Tensor:
        return (z @ self.w.T + self.b)[:, None, None]

    def logits(self, z: Tensor) -> Tensor:
        return self._decode(z.double())


def estimate(
    fitted: proposal.Proposal,
    logits: proposal.Logits,
    likelihood: Likelihood,
    images: Tensor,
    variance: float | None,
) -> Estimate:
    generator = torch.Generator().manual_seed(0)
    weights = proposal.log_weights(
        fitted, logits, likelihood, images, variance=variance, draws=DRAWS, generator=generator
    )
    return importance_nll(weights)


@pytest.mark.parametrize("variance", [1.0, 0.01, 1e-4])
def test_a_wrong_encoder_does_not_hide_the_exact_nll(variance: float) -> None:
    vae = LinearVAE(variance)
    args = vae.logits, Linear(), vae.images
    fitted = proposal.fit(*args, vae.encoder, variance=variance, steps=2)
    found = estimate(fitted, *args, variance)
    assert found.mean == pytest.approx(vae.nll, abs=0.1)
    assert found.stands
    # What the encoder says is far off, and the effective sample size tells.
    width = torch.eye(6).double().expand(len(vae.encoder), 6, 6) * 0.1
    wrong = estimate(proposal.Proposal(vae.encoder, width), *args, variance)
    assert wrong.mean > vae.nll + 1
    assert not wrong.stands


@pytest.mark.parametrize("variance", [1e4, 1.0, 0.01])
def test_the_posterior_of_a_linear_decoder_is_met_in_one_step(variance: float) -> None:
    vae = LinearVAE(variance)
    fitted = proposal.fit(vae.logits, Linear(), vae.images, vae.encoder, variance=variance, steps=1)
    torch.testing.assert_close(fitted.mean, vae.mean, atol=1e-5, rtol=1e-4)
    covariance = torch.linalg.inv(vae.precision)
    found = fitted.factor @ fitted.factor.mT
    torch.testing.assert_close(found, covariance.expand_as(found), atol=1e-6, rtol=1e-3)


def test_the_width_is_that_of_the_decoders_slopes() -> None:
    """Without a step, at the start: the slopes are autograd's."""
    network, likelihood, variance = make_network(3), KINDS["fixed"], 0.01
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(4, 1, 28, 28, generator=generator)
    start = torch.randn(4, 3, generator=generator)
    fitted = proposal.fit(network.logits, likelihood, images, start, variance=variance, steps=0)
    with torch.no_grad():
        _, information = likelihood.slopes(images, network.logits(start), variance)
    for n in range(4):
        jacobian = torch.func.jacrev(lambda z: network.logits(z[None]).flatten())(start[n])
        precision = jacobian.T @ (information[n].flatten()[:, None] * jacobian) + torch.eye(3)
        found = torch.linalg.inv(fitted.factor[n] @ fitted.factor[n].T)
        torch.testing.assert_close(found.float(), precision, rtol=0.02, atol=0.02)
    torch.testing.assert_close(fitted.mean, start.double())


@pytest.mark.parametrize(
    ("kind", "variance"), [("fixed", 0.01), ("gaussian", 0.05), ("bernoulli", None)]
)
@pytest.mark.parametrize("dim", [1, 2])
def test_the_nll_of_a_network_is_that_of_a_sum_over_a_grid(
    kind: Name, variance: float | None, dim: int
) -> None:
    network, likelihood = make_network(dim), KINDS[kind]
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        truth = 0.7 * torch.randn(20, dim, generator=generator)
        images = network.decode(truth)
        images = (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1)
        axis = torch.linspace(-5, 5, 4001 if dim == 1 else 161)
        grid = torch.cartesian_prod(*[axis] * dim).reshape(-1, dim)
        logits = network.logits(grid)
        cell = dim * math.log(float(axis[1] - axis[0]))
        prior = -0.5 * (grid.double().square() + math.log(2 * math.pi)).sum(1)
        exact = [
            -(likelihood.log_probability(one.expand_as(logits), logits, variance) + prior)
            .logsumexp(0)
            .item()
            - cell
            for one in images.split(1)
        ]
        start = truth + 1
        fitted = proposal.fit(network.logits, likelihood, images, start, variance=variance, steps=8)
        found = estimate(fitted, network.logits, likelihood, images, variance)
    assert found.mean == pytest.approx(np.mean(exact), abs=0.1)
    assert found.stands


def test_a_step_never_goes_down() -> None:
    network, likelihood = make_network(3), KINDS["fixed"]
    images = torch.rand(10, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    start = 4 * torch.randn(10, 3, generator=torch.Generator().manual_seed(1))

    def height(z: Tensor) -> Tensor:
        likely = likelihood.log_probability(images, network.logits(z.float()), 0.001)
        return likely - 0.5 * z.square().sum(1)

    heights = [
        height(
            proposal.fit(
                network.logits, likelihood, images, start, variance=0.001, steps=steps
            ).mean
        )
        for steps in (0, 1, 4)
    ]
    assert (heights[0] <= heights[1] + 1e-6).all()
    assert (heights[1] <= heights[2] + 1e-6).all()
    assert heights[2].sum() > heights[0].sum() + 1


def test_draws_have_the_density_that_is_said_of_them() -> None:
    """The mean of p(z) / q(z) over draws from q is 1."""
    factor = torch.tensor([[0.9, 0.0], [0.3, 0.8]], dtype=torch.float64)
    one = proposal.Proposal(torch.tensor([[0.2, -0.3]]).double(), factor[None])
    many = proposal.Proposal(one.mean.expand(200_000, 2), one.factor.expand(200_000, 2, 2))
    drawn = proposal.draw(many, torch.Generator().manual_seed(0))
    assert drawn.log_ratio.exp().mean().item() == pytest.approx(1, abs=0.01)
    torch.testing.assert_close(drawn.latents.mean(0), one.mean[0], atol=0.02, rtol=0)
    spread = float(np.mean(np.square(proposal.SCALES))) * factor @ factor.T
    torch.testing.assert_close(drawn.latents.T.cov(), spread, atol=0.03, rtol=0.02)


def test_the_generator_decides_what_is_drawn() -> None:
    one = proposal.Proposal(torch.zeros(5, 2).double(), torch.eye(2).double().expand(5, 2, 2))
    first, same, other = (
        proposal.draw(one, torch.Generator().manual_seed(seed)).latents for seed in (0, 0, 1)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
