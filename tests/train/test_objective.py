"""The two terms of the objective against other ways to compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

from mnist_vae.nets.likelihood import KINDS, Fixed, Gaussian, Name
from mnist_vae.nets.vae import Output
from mnist_vae.train import objective

FIXED = Fixed()


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_batch(count: int, dim: int = 5, *, channels: int = 1) -> tuple[Tensor, Output, Tensor]:
    """Images [count, channels, 8, 8] in [0, 1], an output that a network might have, its logvar."""
    shape, logvar = (count, channels, 8, 8), draw(count, dim, seed=3)
    output = Output(draw(*shape, seed=1), draw(count, dim, seed=2), logvar)
    return draw(*shape).sigmoid(), output, logvar


# --- The KL ---------------------------------------------------------------------------------------


def test_kl_against_torch_distributions() -> None:
    mean, logvar = draw(50, 5) * 3, draw(50, 5, seed=1) * 3
    posterior = Normal(mean, (logvar / 2).exp())
    expected = torch.distributions.kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(objective.kl_divergence(mean, logvar), expected)


@pytest.mark.parametrize(
    ("mean", "variance", "kl"),
    [
        ([0, 0, 0], [1, 1, 1], 0),
        ([3, 4, 0], [1, 1, 1], 12.5),
        ([0], [math.e], (math.e - 2) / 2),
        ([1, 0], [1, 0.5], 0.5 + (math.log(2) - 0.5) / 2),
    ],
)
def test_kl_in_closed_form(mean: list[float], variance: list[float], kl: float) -> None:
    computed = objective.kl_divergence(torch.tensor([mean]), torch.tensor([variance]).log())
    assert computed.tolist() == pytest.approx([kl], abs=1e-6)


def test_kl_is_never_negative() -> None:
    mean, logvar = draw(1000, 1) * 1e-3, draw(1000, 1, seed=1) * 1e-3
    assert (objective.kl_divergence(mean, logvar) >= 0).all()


# --- The loss -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [16, 2])
def test_a_batch_of_512_has_the_notebooks_loss(dim: int) -> None:
    images, output, logvar = make_batch(512, dim)
    error = F.mse_loss(output.logits.sigmoid(), images, reduction="sum")
    kld = -0.5 * torch.mean(1 + logvar - output.mean.pow(2) - logvar.exp())
    ours = objective.terms(images, output, 1 / (512 * dim), FIXED).loss.mean()
    torch.testing.assert_close(ours, (error + kld) / 512)


@pytest.mark.parametrize(("count", "channels"), [(4, 1), (1, 3)])
@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_cost_plus_the_weighted_kl(
    kind: Name, kl_weight: float, count: int, channels: int
) -> None:
    images, output, logvar = make_batch(count, channels=channels)
    terms = objective.terms(images, output, kl_weight, KINDS[kind])
    difference = images.numpy() - output.logits.sigmoid().numpy()
    error = torch.from_numpy(np.sum(difference**2, axis=(1, 2, 3)))
    cost = KINDS[kind].cost(images, output.logits, error)
    kl = objective.kl_divergence(output.mean, logvar)
    torch.testing.assert_close(terms.squared_error, error)
    assert terms.kl is not None
    torch.testing.assert_close(terms.kl, kl)
    torch.testing.assert_close(terms.loss, cost + kl_weight * kl)


@pytest.mark.parametrize("count", [4, 0])
def test_an_autoencoder_has_the_error_alone(count: int) -> None:
    images, output, _ = make_batch(count)
    terms = objective.terms(images, output._replace(logvar=None), None, FIXED)
    assert terms.kl is None
    assert terms.loss.shape == (count,)
    assert torch.equal(terms.loss, terms.squared_error)


@pytest.mark.parametrize("kind", ["fixed", "bernoulli"])
@pytest.mark.parametrize("variational", [True, False])
def test_an_image_counts_the_same_alone_and_in_a_batch(kind: Name, variational: bool) -> None:
    images, output, logvar = make_batch(6)
    output = output._replace(logvar=logvar if variational else None)
    whole = objective.terms(images, output, 0.5, KINDS[kind])
    for i in range(6):
        row = slice(i, i + 1)
        one = Output(output.logits[row], output.mean[row], logvar[row] if variational else None)
        alone = objective.terms(images[row], one, 0.5, KINDS[kind])
        for of_whole, of_one in zip(whole, alone, strict=True):
            assert (of_whole is None) == (of_one is None)
            if of_whole is not None:
                torch.testing.assert_close(of_whole[row], of_one)


def test_half_precision_is_summed_in_single() -> None:
    images, output, logvar = make_batch(4)
    half = Output(output.logits.bfloat16(), output.mean.float(), logvar.float())
    exact = Output(half.logits.double(), half.mean.double(), logvar.float().double())
    in_single = objective.terms(images.float(), half, 0.5, FIXED)
    for ours, theirs in zip(in_single, objective.terms(images, exact, 0.5, FIXED), strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=0)


# --- Gradients ------------------------------------------------------------------------------------


def test_gradients_of_the_loss_in_closed_form() -> None:
    images, output, logvar = make_batch(3)
    leaves = [part.clone().requires_grad_() for part in (output.logits, output.mean, logvar)]
    objective.terms(images, Output(*leaves), 0.5, FIXED).loss.sum().backward()
    pixels = output.logits.sigmoid()
    expected = 2 * (pixels - images) * pixels * (1 - pixels), 0.5 * output.mean
    for leaf, gradient in zip(leaves, (*expected, 0.25 * (logvar.exp() - 1)), strict=True):
        torch.testing.assert_close(leaf.grad, gradient)


def test_the_gaussians_variance_has_no_gradient_of_its_own() -> None:
    """At the best variance the gradient is that of N/2 log(squared error), variance and all."""
    images, output, _ = make_batch(5)
    logits = output.logits.requires_grad_()
    terms = objective.terms(images, output._replace(logvar=None), None, Gaussian())
    (ours,) = torch.autograd.grad(terms.loss.sum(), logits)
    error = (logits.sigmoid() - images).square().sum()
    (whole,) = torch.autograd.grad(0.5 * images.numel() * error.log(), logits)
    torch.testing.assert_close(ours, whole)
