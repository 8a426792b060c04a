"""A proposal for importance sampling that fits: a Gaussian of its own for each image.

An encoder's posterior is one guess for all variances and has no correlations. Beside the exact
posterior it is too narrow or too wide, most draws then count for nothing, and the estimate of the
NLL stays tens of nats too high. Here is Laplace's approximation instead: the likeliest latent of
the image, and the covariance that the decoder's slope there asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mnist_vae.nets.devices import BATCH
from mnist_vae.nets.likelihood import Likelihood

Logits = Callable[[Tensor], Tensor]
"""A decoder: logits [B, C, H, W] of latents [B, D], both on the CPU, where all else is computed."""
DIFFERENCE = 1e-3
"""Width of the differences that slopes are taken from, in latents whose spread is about 1.

Far above float32's rounding, far below where a decoder bends.
"""
DAMPING = (1.0, 0.5, 0.25, 0.0625)
"""Parts of a step that are tried; the best is taken, or none."""
SCALES = (1.0, 1.5)
"""Widths of the Gaussians, equally often drawn from, that a proposal mixes around its mean.

The wider one bounds the weights where the exact posterior falls off more slowly than a Gaussian.
"""


class Proposal(NamedTuple):
    """A Gaussian for each image."""

    mean: Tensor
    """float64 [N, D]"""
    factor: Tensor
    """float64 [N, D, D], lower triangular: factor · factorᵀ is the covariance."""


class Draw(NamedTuple):
    """A latent of each image, and what it weighs."""

    latents: Tensor
    """float64 [N, D]"""
    log_ratio: Tensor
    """log p(z) - log q(z), float64 [N]."""


@torch.no_grad()
def fit(
    logits: Logits,
    likelihood: Likelihood,
    images: Tensor,
    start: Tensor,
    *,
    variance: float | None,
    steps: int,
) -> Proposal:
    """Fit a proposal to p(z|x) of images [N, C, H, W] in [0, 1], from latents ``start`` [N, D].

    Each of the ``steps`` is one of Gauss-Newton's on log p(x|z) + log p(z), shortened where it
    would not climb. The slopes of the decoder are differences, good enough here: whatever the
    proposal is, importance sampling is right, only better or worse. Linear decoders with a
    Gaussian are fitted exactly in one step.
    """
    fitted = [
        _fit(logits, likelihood, batch, z.double(), variance, steps)
        for batch, z in zip(images.split(BATCH), start.split(BATCH), strict=True)
    ]
    return Proposal(*(torch.cat(part) for part in zip(*fitted, strict=True)))


def _fit(
    logits: Logits,
    likelihood: Likelihood,
    images: Tensor,
    z: Tensor,
    variance: float | None,
    steps: int,
) -> Proposal:
    for _ in range(steps):
        gradient, precision = _slopes(logits, likelihood, images, z, variance)
        step = torch.linalg.solve(precision, gradient)
        trials = [z, *(z + part * step for part in DAMPING)]
        heights = [
            likelihood.log_probability(images, _decode(logits, trial), variance)
            - 0.5 * trial.square().sum(1)
            for trial in trials
        ]
        best = torch.stack(heights).argmax(0)
        z = torch.stack(trials)[best, torch.arange(len(z))]
    _, precision = _slopes(logits, likelihood, images, z, variance)
    return Proposal(z, torch.linalg.cholesky(torch.linalg.inv(precision)))


def draw(proposal: Proposal, generator: torch.Generator) -> Draw:
    """Draw a latent for each image."""
    n, dim = proposal.mean.shape
    noise = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    scales = torch.tensor(SCALES, dtype=torch.float64)
    scaled = scales[torch.randint(len(SCALES), (n,), generator=generator), None] * noise
    latents = proposal.mean + (proposal.factor @ scaled[..., None])[..., 0]
    # log q without the powers of 2 π, which p(z) has too.
    each = -0.5 * scaled.square().sum(1, keepdim=True) / scales.square() - dim * scales.log()
    log_q = each.logsumexp(1) - math.log(len(SCALES))
    log_q = log_q - proposal.factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return Draw(latents, -0.5 * latents.square().sum(1) - log_q)


@torch.no_grad()
def log_weights(
    proposal: Proposal,
    logits: Logits,
    likelihood: Likelihood,
    images: Tensor,
    *,
    variance: float | None,
    draws: int,
    generator: torch.Generator,
) -> np.ndarray:
    """What ``draws`` latents of each image weigh: log p(x|z) + log p(z) - log q(z), [N, draws]."""
    weights = torch.empty(len(images), draws, dtype=torch.float64)
    for k in range(draws):
        drawn = draw(proposal, generator)
        likely = likelihood.log_probability(images, _decode(logits, drawn.latents), variance)
        weights[:, k] = likely + drawn.log_ratio
    return weights.numpy()


def _decode(logits: Logits, z: Tensor) -> Tensor:
    return torch.cat([logits(batch.float()) for batch in z.split(BATCH)])


def _slopes(
    logits: Logits, likelihood: Likelihood, images: Tensor, z: Tensor, variance: float | None
) -> tuple[Tensor, Tensor]:
    """Gradient [N, D] of log p(x, z) and its expected negative curvature [N, D, D]."""
    dim = z.shape[1]
    center = _decode(logits, z).double()
    columns = []
    for d in range(dim):
        moved = z.clone()
        moved[:, d] += DIFFERENCE
        # What float32 makes of both latents is what they differ by.
        width = (moved.float() - z.float())[:, d].double()
        columns.append((_decode(logits, moved).double() - center).flatten(1) / width[:, None])
    jacobian = torch.stack(columns, 2)  # [N, P, D]
    score, information = likelihood.slopes(images, center, variance)
    gradient = (score.flatten(1)[:, None] @ jacobian)[:, 0] - z
    precision = jacobian.mT @ (information.flatten(1)[..., None] * jacobian)
    return gradient, precision + torch.eye(dim, dtype=z.dtype)
