"""The weight of a KL under every reduction, against the losses themselves, in torch."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch.nn import functional as F

from mnist_vae.measure.reduction import Loss, Reduction, audit_loss, calibrated_weight
from mnist_vae.measure.reduction import effective_weight as effective

REDUCTIONS: tuple[Reduction, ...] = ("sum", "mean")
PIXELS, DIM, BATCH = 24, 5, 4
GENERATOR = torch.Generator().manual_seed(0)
ERRORS = torch.rand(BATCH, PIXELS, generator=GENERATOR, dtype=torch.float64)
KL = torch.rand(BATCH, DIM, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize(
    ("pixels", "latents", "summed"), list(product(REDUCTIONS, REDUCTIONS, (False, True)))
)
def test_a_loss_is_a_multiple_of_sums_with_the_effective_weight(
    pixels: Reduction, latents: Reduction, summed: bool
) -> None:
    def value(errors: torch.Tensor, kl: torch.Tensor, weight: float) -> float:
        error = getattr(errors, pixels)(1)
        error = error.sum() if summed else error.mean()
        return float(error + weight * getattr(kl, latents)(1).mean())

    loss = Loss(0.3, PIXELS, DIM, pixels, latents, batch_size=BATCH if summed else 1)

    def sums(errors: torch.Tensor, kl: torch.Tensor) -> float:
        return float(errors.sum(1).mean() + effective(loss) * kl.sum(1).mean())

    scale = value(ERRORS, KL, 0.3) / sums(ERRORS, KL)
    for errors, kl in ((2 * ERRORS, KL), (ERRORS, 3 * KL), (ERRORS**2, KL**2)):
        assert value(errors, kl, 0.3) == pytest.approx(scale * sums(errors, kl))


def test_torchs_own_mean_is_that_of_pixels() -> None:
    """``F.mse_loss`` without a reduction named, and the KL summed: the weight counts P times."""
    images = torch.rand(BATCH, PIXELS, generator=GENERATOR, dtype=torch.float64)
    theirs = F.mse_loss(torch.zeros_like(images), images) + 0.3 * KL.sum(1).mean()
    ours = images.square().sum(1).mean() + effective(Loss(0.3, PIXELS, DIM, "mean", "sum")) * (
        KL.sum(1).mean()
    )
    assert float(theirs) * PIXELS == pytest.approx(float(ours))


def test_the_notebooks_loss() -> None:
    """Its squared error is summed over a batch of 512, its KL averaged over batch and latents."""
    loss = Loss(1, 784, 16, "sum", "mean", batch_size=512)
    assert effective(loss) == 1 / (512 * 16)
    found = audit_loss(loss, error=6.286, kl=129 / 16)
    assert found.sentence.startswith("KL is 130 times weaker than this decoder's error calls for")


@pytest.mark.parametrize(
    ("pixels", "latents", "error"),
    list(product(REDUCTIONS, REDUCTIONS, ("squared", "half-squared"))),
)
def test_at_the_calibrated_weight_the_audit_says_so(
    pixels: Reduction, latents: Reduction, error: str
) -> None:
    reached = 6.3 / (784 if pixels == "mean" else 1)
    loss = Loss(0.01, 784, 16, pixels, latents, error, 128)  # type: ignore[arg-type]
    found = audit_loss(loss, error=reached, kl=20)
    assert found.calibrated_variance == pytest.approx(6.3 / 784)
    set_right = loss._replace(weight=calibrated_weight(loss, found))
    again = audit_loss(set_right, error=reached, kl=20)
    assert again.ratio == pytest.approx(1)
    assert again.sentence.startswith("KL has the weight that this decoder's error calls for")


def test_a_cross_entropy_is_calibrated_at_the_weight_of_sums() -> None:
    loss = Loss(1, 784, 16, "mean", "sum", "cross-entropy")
    found = audit_loss(loss, error=None, kl=None)
    assert found.ratio == pytest.approx(1 / 784)
    assert "KL is 780 times stronger than a Bernoulli decoder calls for" in found.sentence
    assert calibrated_weight(loss, found) == pytest.approx(1 / 784)
    assert "all but the prior" not in found.sentence
    collapsed = audit_loss(loss, error=None, kl=0.05)
    assert "all but the prior" in collapsed.sentence


def test_half_a_squared_error_with_half_the_weight_is_the_same_loss() -> None:
    half = audit_loss(Loss(0.005, 784, 16, "sum", "sum", "half-squared"), error=6.3, kl=20)
    assert half == audit_loss(Loss(0.01, 784, 16, "sum", "sum"), error=6.3, kl=20)
    assert half.implied_variance == 0.005


@pytest.mark.parametrize(("latents", "collapsed"), [("sum", True), ("mean", False)])
def test_a_kl_averaged_over_latents_is_summed_before_it_is_judged(
    latents: Reduction, collapsed: bool
) -> None:
    found = audit_loss(Loss(1, 784, 16, "sum", latents), error=50, kl=0.05)
    assert ("all but the prior" in found.sentence) == collapsed
    unknown = audit_loss(Loss(1, 784, 16, "sum", latents), error=50, kl=None)
    assert "all but the prior" not in unknown.sentence


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (Loss(1, 0, 16, "sum", "sum"), 1, "pixels is 0, must be at least 1"),
        (Loss(1, 784, 0, "sum", "sum"), 1, "latent_dim is 0"),
        (Loss(1, 784, 16, "sum", "sum", batch_size=0), 1, "batch_size is 0"),
        (Loss(-1, 784, 16, "sum", "sum"), 1, "kl_weight is -1"),
        (
            Loss(1, 784, 16, "sum", "sum"),
            None,
            "^the error is needed: without it nothing says what variance is calibrated$",
        ),
        (Loss(1, 784, 16, "sum", "sum"), 0, "mean_squared_error is 0"),
        (Loss(1, 784, 16, "sum", "sum"), float("nan"), "mean_squared_error is nan"),
    ],
)
def test_what_cannot_be_judged(loss: Loss, error: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        audit_loss(loss, error=error, kl=5)
