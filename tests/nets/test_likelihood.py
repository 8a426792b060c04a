"""What decoders say of images, against scipy's and torch's distributions in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from support.networks import draw
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from mnist_vae.nets import likelihood
from mnist_vae.nets.likelihood import KINDS, Name, squared_error

PIXELS = 2 * 8 * 8


def decoded(count: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Images and logits [count, 2, 8, 8] in float64, and the squared error of their pixels."""
    images = draw(count, 2, 8, 8)
    logits = 6 * draw(count, 2, 8, 8, seed=1) - 3
    return images, logits, squared_error(images, logits.sigmoid())


@pytest.mark.parametrize("count", [0, 1, 5])
def test_squared_error_and_its_gradient(count: int) -> None:
    images, logits, error = decoded(count)
    pixels = logits.sigmoid().requires_grad_()
    torch.testing.assert_close(error, ((images - pixels) ** 2).sum((1, 2, 3)).detach())
    (grad,) = torch.autograd.grad(squared_error(images, pixels).sum(), pixels)
    torch.testing.assert_close(grad, (2 * (pixels - images)).detach())


# --- Gaussians ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fixed", "gaussian"])
@pytest.mark.parametrize("variance", [1e-4, 0.03, 2.0])
def test_a_gaussians_log_probability(kind: Name, variance: float) -> None:
    images, logits, _ = decoded()
    score = KINDS[kind].log_probability(images, logits, variance)
    normal = Normal(logits.sigmoid(), math.sqrt(variance))
    torch.testing.assert_close(score, normal.log_prob(images).sum((1, 2, 3)))
    scipys = np.asarray(stats.norm.logpdf(images, logits.sigmoid(), math.sqrt(variance)))
    assert score.numpy() == pytest.approx(scipys.sum((1, 2, 3)))


@pytest.mark.parametrize("count", [1, 5])
def test_the_gaussian_cost_is_under_the_batchs_own_variance(count: int) -> None:
    images, logits, error = decoded(count)
    gaussian, best = KINDS["gaussian"], float(error.mean()) / PIXELS
    cost = gaussian.cost(images, logits, error)
    torch.testing.assert_close(cost, -gaussian.log_probability(images, logits, best))
    # Of all variances it makes the images most likely.
    for factor in (0.5, 0.99, 1.01, 2):
        assert -gaussian.log_probability(images, logits, factor * best).mean() > cost.mean()
    # Its mean has the gradient of the logarithm of the error.
    error.requires_grad_()
    log = 0.5 * PIXELS * error.mean().log()
    mean = gaussian.cost(images, logits, error).mean()
    torch.testing.assert_close(torch.autograd.grad(mean, error), torch.autograd.grad(log, error))


@pytest.mark.parametrize("kl_weight", [1 / 8192, 0.02, 3.0])
def test_a_fixed_loss_is_a_scaled_negative_elbo_up_to_a_constant(kl_weight: float) -> None:
    images, logits, error = decoded()
    fixed, kl = KINDS["fixed"], 100 * draw(5, seed=2)
    own = fixed.variances(kl_weight, 0.01)["own"]
    elbo = fixed.log_probability(images, logits, own) - kl
    loss = fixed.cost(images, logits, error) + kl_weight * kl
    torch.testing.assert_close(loss.diff(), -kl_weight * elbo.diff())


@pytest.mark.parametrize("kind", ["fixed", "gaussian"])
def test_the_variance_with_which_a_cost_weighs_the_error(kind: Name) -> None:
    images, logits, error = decoded()
    variance = KINDS[kind].variance_in_loss(float(error.mean()) / PIXELS)
    assert variance is not None
    cost = KINDS[kind].cost(images, logits, error)
    torch.testing.assert_close(cost.diff(), error.diff() / (2 * variance))


@pytest.mark.parametrize("variance", [None, 0, -1, math.nan, math.inf])
def test_what_is_no_variance(variance: float | None) -> None:
    images, logits, _ = decoded()
    with pytest.raises(ValueError, match=f"variance is {variance}, must be a finite number above"):
        likelihood.gaussian(images, logits, variance)


# --- Bernoulli ------------------------------------------------------------------------------------


@pytest.mark.parametrize("binary", [True, False])
def test_bernoulli(binary: bool) -> None:
    images, logits, error = decoded()
    images = images.round() if binary else images
    score = KINDS["bernoulli"].log_probability(images, logits, None)
    torch.testing.assert_close(-KINDS["bernoulli"].cost(images, logits, error), score)
    coins = Bernoulli(logits=logits, validate_args=False).log_prob(images)
    torch.testing.assert_close(score, coins.sum((1, 2, 3)))
    if binary:  # all that scipy has
        scipys = np.asarray(stats.bernoulli.logpmf(images, logits.sigmoid())).sum((1, 2, 3))
        assert score.numpy() == pytest.approx(scipys)


def test_bernoulli_at_its_ends() -> None:
    white, black = torch.ones(1, 1, 28, 28), torch.zeros(1, 1, 28, 28)
    score = KINDS["bernoulli"].log_probability
    for images, logits in ((white, black + 1000), (black, black - 1000)):
        assert score(images, logits, None).tolist() == [0]
        assert score(images, -logits, None).tolist() == [-784_000]


# --- All of them ----------------------------------------------------------------------------------


def test_the_variances_to_measure_under() -> None:
    named = {kind: KINDS[kind].variances(0.02, 0.01) for kind in KINDS}
    assert named == {
        "fixed": {"own": 0.01, "calibrated": 0.01},
        "gaussian": {"own": 0.01},
        "bernoulli": {"own": None},
    }
    assert KINDS["fixed"].variances(0.0, 0.01) == {"calibrated": 0.01}  # it states none
    assert KINDS["bernoulli"].variance_in_loss(0.01) is None


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_float64_whatever_comes_in(kind: Name) -> None:
    images, logits, _ = decoded()
    for variance in KINDS[kind].variances(0.02, 0.01).values():
        exact = KINDS[kind].log_probability(images, logits, variance)
        score = KINDS[kind].log_probability(images.float(), logits.float(), variance)
        assert score.dtype == torch.float64
        torch.testing.assert_close(score, exact, rtol=1e-5, atol=0)
        assert KINDS[kind].log_probability(images[:0], logits[:0], variance).shape == (0,)
    assert KINDS[kind].cost(*decoded(0)).shape == (0,)


# --- Slopes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "variance"), [("fixed", 0.03), ("gaussian", 2.0), ("bernoulli", None)]
)
def test_slopes_are_derivatives_and_fishers_information(kind: Name, variance: float | None) -> None:
    images, logits, _ = decoded()
    logits.requires_grad_()
    score, information = KINDS[kind].slopes(images, logits, variance)
    likely = KINDS[kind].log_probability(images, logits, variance).sum()
    (expected,) = torch.autograd.grad(likely, logits)
    torch.testing.assert_close(score, expected)
    # The mean of the squared slope over what the decoder says, drawn.
    pixels, generator = logits.detach().sigmoid(), torch.Generator().manual_seed(0)
    total = torch.zeros_like(information)
    for _ in range(4000):
        if variance is None:
            drawn = torch.bernoulli(pixels, generator=generator)
        else:
            noise = torch.randn(pixels.shape, generator=generator, dtype=torch.float64)
            drawn = pixels + variance**0.5 * noise
        total += KINDS[kind].slopes(drawn, logits, variance)[0].square()
    ratio = (total / 4000 / information).detach()
    assert ratio.mean().item() == pytest.approx(1, abs=0.02)
    assert (ratio - 1).abs().max() < 0.5
