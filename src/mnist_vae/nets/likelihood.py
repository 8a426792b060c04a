"""What a decoder says of an image: p(x|z), one object for each kind.

A new kind is a new class here, its name in ``Name`` and its place in ``KINDS``.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_vae import parallel

Name: TypeAlias = Literal["fixed", "gaussian", "bernoulli"]


class Likelihood(Protocol):
    """Images are [B, C, H, W] in [0, 1], logits as many numbers before the sigmoid."""

    def cost(self, images: Tensor, logits: Tensor, squared_error: Tensor) -> Tensor:
        """What training minimizes beside the KL, [B], given the squared error [B] too."""

    def variance_in_loss(self, trained_variance: float) -> float | None:
        """The variance v with which the cost is SSE / (2 v), up to a constant.

        None where the likelihood is no Gaussian. ``trained_variance`` is the mean squared error per
        pixel of the last training epoch.
        """

    def variances(self, kl_weight: float, trained_variance: float) -> dict[str, float | None]:
        """The variances to measure the model's log-probability under, each with its name.

        The name ``own`` is for what the model states itself; None is no Gaussian.
        """

    def log_probability(self, images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
        """log p(x|z) in nats, float64 [B], under a variance of ``variances``."""

    def slopes(
        self, images: Tensor, logits: Tensor, variance: float | None
    ) -> tuple[Tensor, Tensor]:
        """First derivative of log p(x|z) by each logit and Fisher's information, both as logits."""


class Fixed:
    """The squared error summed over pixels, a Gaussian of a variance that nothing states.

    Its loss is, up to a constant, kl_weight times the negative ELBO of a Gaussian of variance
    kl_weight / 2: that is the model's own, if there is a KL weight. ``calibrated`` is the same
    model with the variance that its error shows.
    """

    def cost(self, images: Tensor, logits: Tensor, squared_error: Tensor) -> Tensor:
        """The squared error."""
        return squared_error

    def variance_in_loss(self, trained_variance: float) -> float | None:
        """One half: SSE / (2 · ½) is SSE."""
        return 0.5

    def variances(self, kl_weight: float, trained_variance: float) -> dict[str, float | None]:
        """``own``, unless the KL has no weight, and ``calibrated``."""
        own: dict[str, float | None] = {"own": 0.5 * kl_weight} if kl_weight else {}
        return own | {"calibrated": trained_variance}

    def log_probability(self, images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
        """That of a Gaussian."""
        return gaussian(images, logits, variance)

    def slopes(
        self, images: Tensor, logits: Tensor, variance: float | None
    ) -> tuple[Tensor, Tensor]:
        """Those of a Gaussian."""
        return gaussian_slopes(images, logits, variance)


class Gaussian:
    """A Gaussian with one calibrated variance, shared by all pixels.

    It follows the error while the model trains, in closed form: it is the mean squared error
    (Rybkin, Daniilidis & Levine 2021).
    """

    def cost(self, images: Tensor, logits: Tensor, squared_error: Tensor) -> Tensor:
        """The negative log-likelihood in nats, under the best variance for these images."""
        pixels = images.shape[1:].numel()
        variance = (
            parallel.mean(squared_error.detach()) / pixels
        )  # no gradient: it is at the minimum
        return 0.5 * (squared_error / variance + pixels * (2 * math.pi * variance).log())

    def variance_in_loss(self, trained_variance: float) -> float | None:
        """The trained one."""
        return trained_variance

    def variances(self, kl_weight: float, trained_variance: float) -> dict[str, float | None]:
        """``own`` alone, which is calibrated."""
        return {"own": trained_variance}

    def log_probability(self, images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
        """That of a Gaussian."""
        return gaussian(images, logits, variance)

    def slopes(
        self, images: Tensor, logits: Tensor, variance: float | None
    ) -> tuple[Tensor, Tensor]:
        """Those of a Gaussian."""
        return gaussian_slopes(images, logits, variance)


class Bernoulli:
    """Each pixel a coin: the binary cross-entropy.

    Grey pixels make it a usual score rather than a likelihood, for e^score does not integrate to 1
    (Loaiza-Ganem & Cunningham 2019): compare it with other Bernoulli models only.
    """

    def cost(self, images: Tensor, logits: Tensor, squared_error: Tensor) -> Tensor:
        """The binary cross-entropy in nats."""
        cost = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
        return cost.flatten(1).sum(1)

    def variance_in_loss(self, trained_variance: float) -> float | None:
        """None: there is no variance to set."""
        return None

    def variances(self, kl_weight: float, trained_variance: float) -> dict[str, float | None]:
        """``own`` alone."""
        return {"own": None}

    def log_probability(self, images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
        """The cross-entropy with its sign turned."""
        return -self.cost(images.double(), logits.double(), torch.empty(0))

    def slopes(
        self, images: Tensor, logits: Tensor, variance: float | None
    ) -> tuple[Tensor, Tensor]:
        """The error, and the variance of a coin."""
        pixels = logits.sigmoid()
        return images - pixels, pixels * (1 - pixels)


KINDS: dict[Name, Likelihood] = {
    "fixed": Fixed(),
    "gaussian": Gaussian(),
    "bernoulli": Bernoulli(),
}


def squared_error(images: Tensor, pixels: Tensor) -> Tensor:
    """Squared error summed over the pixels of each image, [B]."""
    return F.mse_loss(pixels, images, reduction="none").flatten(1).sum(1)


def gaussian(images: Tensor, logits: Tensor, variance: float | None) -> Tensor:
    """log N(x; sigmoid(logits), variance · I) in nats, float64 [B].

    The variance that maximizes its mean is the mean squared error per pixel. It is a density over
    real pixels, so it may well be positive. Raises ValueError for a variance that is not above 0.
    """
    if variance is None or not (math.isfinite(variance) and variance > 0):
        raise ValueError(f"variance is {variance}, must be a finite number above 0")
    error = squared_error(images.double(), logits.sigmoid().double())
    return -0.5 * (error / variance + images.shape[1:].numel() * math.log(2 * math.pi * variance))


def gaussian_slopes(
    images: Tensor, logits: Tensor, variance: float | None
) -> tuple[Tensor, Tensor]:
    """Derivative of log N(x; sigmoid(logits), variance · I) by each logit, and its information."""
    assert variance is not None
    pixels = logits.sigmoid()
    slope = pixels * (1 - pixels)
    return (images - pixels) * slope / variance, slope.square() / variance
