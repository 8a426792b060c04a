"""What a KL weight means beside sums and means: losses as people write them, in one form.

A reconstruction error may be summed or averaged over pixels, a KL over latent dimensions, and each
over the batch. Only the ratio of both counts, so every such loss is the one of this project with
another weight: error summed over pixels + weight · KL summed over latents, per image.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from mnist_vae.measure import audit
from mnist_vae.measure.audit import KLAudit

Reduction: TypeAlias = Literal["sum", "mean"]
Error: TypeAlias = Literal["squared", "half-squared", "cross-entropy"]


class Loss(NamedTuple):
    """A loss as its author wrote it: error + weight · KL."""

    weight: float
    """What the KL is multiplied by."""
    pixels: int
    """Numbers in an image: height · width · channels."""
    latent_dim: int
    """Dimensions of the latent."""
    over_pixels: Reduction
    """How the error is reduced over pixels."""
    over_latents: Reduction
    """How the KL is reduced over latent dimensions."""
    error: Error = "squared"
    """The squared error, half of it, or the binary cross-entropy."""
    batch_size: int = 1
    """The images of a batch, if the error is summed over them and the KL averaged; else 1."""


def divisor(loss: Loss) -> float:
    """What a loss's weight is divided by to be that of sums per image."""
    pixels = loss.pixels if loss.over_pixels == "mean" else 1
    latents = loss.latent_dim if loss.over_latents == "mean" else 1
    return latents * loss.batch_size / pixels


def effective_weight(loss: Loss) -> float:
    """The KL weight that means the same where error and KL are summed over all but the batch."""
    return loss.weight / divisor(loss)


def calibrated_weight(loss: Loss, found: KLAudit) -> float:
    """The weight, in place of the loss's own, at which the KL counts as much as it should."""
    sums = 1.0 if found.calibrated_variance is None else found.calibrated_variance / _variance(loss)
    return sums * divisor(loss)


def audit_loss(loss: Loss, *, error: float | None, kl: float | None) -> KLAudit:
    """Judge a loss by the error and the KL that its training reaches.

    ``error`` is the squared error (for ``half-squared`` too) and ``kl`` the KL in nats, reduced as
    the loss reduces them over pixels and latents, averaged over images; a cross-entropy needs no
    error. Without a KL nothing is said of a collapse. Raises ValueError for a number that cannot
    be.
    """
    for name in ("pixels", "latent_dim", "batch_size"):
        if getattr(loss, name) < 1:
            raise ValueError(f"{name} is {getattr(loss, name)}, must be at least 1")
    rate = None if kl is None else kl * (loss.latent_dim if loss.over_latents == "mean" else 1)
    weight = effective_weight(loss)
    if loss.error == "cross-entropy":
        return audit.audit_bernoulli(kl_weight=weight, rate=rate)
    if error is None:
        raise ValueError("the error is needed: without it nothing says what variance is calibrated")
    return audit.audit_gaussian(
        kl_weight=weight,
        mean_squared_error=error / (1 if loss.over_pixels == "mean" else loss.pixels),
        rate=rate,
        variance=_variance(loss),
    )


def _variance(loss: Loss) -> float:
    """The variance v with which the error is SSE / (2 v)."""
    return 0.5 if loss.error == "squared" else 1.0
