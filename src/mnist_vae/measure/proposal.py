"""A proposal for importance sampling that fits: a Gaussian of its own for each image.

An encoder's posterior is one guess for all variances and has no correlations. Beside the exact
posterior it is too narrow or too wide, most draws then count for nothing, and the estimate of the
NLL stays tens of nats too high. Here is Laplace's approximation instead: the likeliest latent of
the image, and the covariance that the decoder's slope there asks for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from mnist_vae.nets.devices import BATCH
from mnist_vae.nets.likelihood import Likelihood

Logits = Callable[[Tensor], Tensor]
"""A decoder: logits [B, C, H, W] of latents [B, D]."""
DIFFERENCE = 1e-3
"""Step of the differences that slopes are taken from, in units of a latent's posterior."""
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
    Gaussian are fitted exactly in one step. In float64, but for the decoder.
    """
    z = start.double()
    for _ in range(steps):
        gradient, precision = _slopes(logits, likelihood, images, z, variance)
        step = torch.linalg.solve(precision, gradient)
        trials = [z, *(z + part * step for part in DAMPING)]
        heights = [_height(logits, likelihood, images, trial, variance) for trial in trials]
        best = torch.stack(heights).argmax(0)
        z = torch.stack(trials)[best, torch.arange(len(z), device=z.device)]
    _, precision = _slopes(logits, likelihood, images, z, variance)
    # The inverse of the precision's factor, transposed, is a factor of the covariance, but an
    # upper one.
    return Proposal(z, torch.linalg.cholesky(torch.linalg.inv(precision)))


def draw(proposal: Proposal, noise: Tensor, wide: Tensor) -> Draw:
    """Draw a latent for each image, from standard normal ``noise`` [N, D].

    ``wide`` [N] are whole numbers that say which of ``SCALES`` each draw takes, equally often.
    """
    scales = torch.tensor(SCALES, dtype=torch.float64, device=noise.device)
    scaled = scales[wide, None] * noise
    latents = proposal.mean + (proposal.factor @ scaled[..., None])[..., 0]
    dim = noise.shape[1]
    square = scaled.square().sum(1)
    # log q - its constants, which p(z) has too.
    each = -0.5 * square[:, None] / scales.square() - dim * scales.log()
    log_q = each.logsumexp(1) - torch.tensor(float(len(SCALES))).double().log()
    log_q = log_q - proposal.factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return Draw(latents, -0.5 * latents.square().sum(1) - log_q)


def _decode(logits: Logits, z: Tensor) -> Tensor:
    return torch.cat([logits(batch.float()) for batch in z.split(BATCH)])


def _height(
    logits: Logits, likelihood: Likelihood, images: Tensor, z: Tensor, variance: float | None
) -> Tensor:
    """log p(x, z) of each image [N], but for a constant."""
    decoded = _decode(logits, z)
    return likelihood.log_probability(images, decoded, variance) - 0.5 * z.square().sum(1)


def _slopes(
    logits: Logits, likelihood: Likelihood, images: Tensor, z: Tensor, variance: float | None
) -> tuple[Tensor, Tensor]:
    """Gradient [N, D] of log p(x, z) and its expected negative curvature [N, D, D]."""
    n, dim = z.shape
    center = _decode(logits, z).double()
    columns = []
    for d in range(dim):
        moved = z.clone()
        moved[:, d] += DIFFERENCE
        # What float32 makes of both latents is what they differ by.
        width = (moved.float() - z.float())[:, d].double()
        columns.append(((_decode(logits, moved).double() - center).flatten(1)) / width[:, None])
    jacobian = torch.stack(columns, 2)  # [N, P, D]
    score, information = likelihood.slopes(images, center, variance)
    gradient = (score.flatten(1)[:, None] @ jacobian)[:, 0] - z
    precision = jacobian.mT @ (information.flatten(1)[..., None] * jacobian)
    return gradient, precision + torch.eye(dim, dtype=z.dtype, device=z.device)
