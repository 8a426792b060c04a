"""The two terms of the objective against other ways to compute them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal
from torch.nn import functional as F

from mnist_vae.nets.vae import Output
from mnist_vae.train import objective


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_batch(count: int, dim: int = 5, *, variational: bool = True) -> tuple[Tensor, Output]:
    """Images [count, 1, 28, 28] in [0, 1] and an output that a network might have for them."""
    logvar = draw(count, dim, seed=3) if variational else None
    output = Output(draw(count, 1, 28, 28, seed=1), draw(count, dim, seed=2), logvar)
    return draw(count, 1, 28, 28).sigmoid(), output


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
    found = objective.kl_divergence(torch.tensor([mean]), torch.tensor([variance]).log())
    assert found.tolist() == pytest.approx([kl], abs=1e-6)


def test_kl_is_never_negative() -> None:
    mean, logvar = draw(1000, 1) * 1e-3, draw(1000, 1, seed=1) * 1e-3
    assert (objective.kl_divergence(mean, logvar) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (7, 3, 4, 4), (0, 1, 28, 28)])
def test_squared_error_against_numpy(shape: tuple[int, ...]) -> None:
    a, b = draw(*shape), draw(*shape, seed=1)
    expected = np.sum((a.numpy() - b.numpy()) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(objective.squared_error(a, b), expected)


def test_squared_error_of_an_image_and_itself_is_zero() -> None:
    images = draw(3, 1, 28, 28)
    assert objective.squared_error(images, images).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dim", [16, 2])
def test_a_batch_of_512_has_the_notebooks_loss(dim: int) -> None:
    images, output = make_batch(512, dim)
    assert output.logvar is not None
    mean, logvar = output.mean, output.logvar
    error = F.mse_loss(output.logits.sigmoid(), images, reduction="sum")
    kld = -0.5 * torch.mean(1 + logvar - mean.pow(2) - logvar.exp())
    ours = objective.terms(images, output, 1 / (512 * dim)).loss.mean().item()
    assert ours == pytest.approx((error + kld).item() / 512, rel=1e-5)


@pytest.mark.parametrize("kl_weight", [0.0, 0.5, 2.0])
def test_the_loss_is_the_error_plus_the_weighted_kl(kl_weight: float) -> None:
    images, output = make_batch(4)
    assert output.logvar is not None
    terms = objective.terms(images, output, kl_weight)
    assert terms.kl is not None
    error = objective.squared_error(images, output.logits.sigmoid())
    torch.testing.assert_close(terms.squared_error.double(), error, rtol=1e-5, atol=0)
    kl = objective.kl_divergence(output.mean, output.logvar)
    torch.testing.assert_close(terms.kl.double(), kl, rtol=1e-5, atol=0)
    torch.testing.assert_close(terms.loss.double(), error + kl_weight * kl, rtol=1e-5, atol=0)


def test_an_autoencoder_has_the_error_alone() -> None:
    images, output = make_batch(4, variational=False)
    terms = objective.terms(images, output, None)
    assert terms.kl is None
    assert torch.equal(terms.loss, terms.squared_error)


@pytest.mark.parametrize("variational", [True, False])
def test_an_image_counts_the_same_alone_and_in_a_batch(variational: bool) -> None:
    images, output = make_batch(6, variational=variational)
    whole = objective.terms(images, output, 0.5)
    for i in range(6):
        one = Output(*(None if part is None else part[i : i + 1] for part in output))
        alone = objective.terms(images[i : i + 1], one, 0.5)
        for of_whole, of_one in zip(whole, alone, strict=True):
            if of_whole is not None:
                torch.testing.assert_close(of_whole[i : i + 1], of_one)


def test_half_precision_is_summed_in_single() -> None:
    images, output = make_batch(4)
    half = Output(output.logits.bfloat16(), output.mean.float(), output.logvar.float())
    exact = Output(*(part.double() for part in half))
    found = objective.terms(images.float(), half, 0.5)
    for ours, theirs in zip(found, objective.terms(images, exact, 0.5), strict=True):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=0)


def test_gradients_of_the_terms() -> None:
    images, pixels = draw(2, 1, 3, 3), draw(2, 1, 3, 3, seed=1).requires_grad_()
    mean, logvar = draw(2, 3).requires_grad_(), draw(2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: objective.squared_error(images, p), pixels)
    assert torch.autograd.gradcheck(objective.kl_divergence, (mean, logvar))


def test_gradients_of_the_loss_in_closed_form() -> None:
    images, output = make_batch(3)
    leaves = Output(*(part.float().requires_grad_() for part in output))
    objective.terms(images.float(), leaves, 0.5).loss.sum().backward()
    pixels, mean, logvar = output.logits.sigmoid(), output.mean, output.logvar
    for leaf, expected in zip(
        leaves,
        (2 * (pixels - images) * pixels * (1 - pixels), 0.5 * mean, 0.25 * (logvar.exp() - 1)),
        strict=True,
    ):
        torch.testing.assert_close(leaf.grad.double(), expected, rtol=1e-4, atol=1e-6)


# ---- Likelihoods, in nats -----------------------------------------------------------------------


def decoded(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images in [0, 1] and logits, float64 [5, 1, 8, 8]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(5, 1, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.randn(5, 1, 8, 8, generator=generator, dtype=torch.float64)


def cost(likelihood: str, images: Tensor, logits: Tensor) -> Tensor:
    output = Output(logits, torch.zeros(len(images), 1), None)
    return objective.terms(images, output, None, likelihood).loss


def test_fixed_is_the_squared_error() -> None:
    images, logits = decoded()
    expected = (logits.sigmoid() - images).square().sum((1, 2, 3))
    torch.testing.assert_close(cost("fixed", images, logits), expected)


def test_gaussian_is_scipys_with_the_best_shared_variance() -> None:
    images, logits = decoded()
    pixels, means = images.numpy(), logits.sigmoid().numpy()
    sigma = np.sqrt(np.mean((pixels - means) ** 2))
    expected = -stats.norm.logpdf(pixels, means, sigma).sum((1, 2, 3))
    np.testing.assert_allclose(cost("gaussian", images, logits).numpy(), expected)
    for other in (0.9 * sigma, 1.1 * sigma):
        assert expected.sum() < -stats.norm.logpdf(pixels, means, other).sum()


def test_the_gaussians_variance_has_no_gradient_of_its_own() -> None:
    """At the best variance the gradient is that of N/2 log(squared error), variance and all."""
    images, logits = decoded()
    logits.requires_grad_()
    (mine,) = torch.autograd.grad(cost("gaussian", images, logits).sum(), logits)
    error = (logits.sigmoid() - images).square().sum()
    (whole,) = torch.autograd.grad(0.5 * images.numel() * error.log(), logits)
    torch.testing.assert_close(mine, whole)


def test_bernoulli_is_scipys_on_black_and_white_pixels() -> None:
    images, logits = decoded()
    images = images.round()
    expected = -stats.bernoulli.logpmf(images.numpy(), logits.sigmoid().numpy()).sum((1, 2, 3))
    np.testing.assert_allclose(cost("bernoulli", images, logits).numpy(), expected)


@pytest.mark.parametrize("likelihood", ["fixed", "gaussian", "bernoulli"])
def test_the_kl_comes_on_top(likelihood: str) -> None:
    images, logits = decoded()
    mean, logvar = torch.ones(5, 2), torch.full((5, 2), -1.0)
    with_kl = objective.terms(images, Output(logits, mean, logvar), 0.5, likelihood)
    kl = objective.kl_divergence(mean, logvar)
    torch.testing.assert_close(with_kl.loss, cost(likelihood, images, logits) + 0.5 * kl)
