"""The two terms of a VAE's objective, image by image, as training differentiates them.

``measure.rate`` has the KL of a trained model in float64; tests hold both together.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mnist_vae.nets.likelihood import Likelihood, squared_error
from mnist_vae.nets.vae import Output


class Terms(NamedTuple):
    """The parts of the objective of every image, [B] each."""

    loss: Tensor
    """What training minimizes the mean of: reconstruction + kl_weight · KL."""
    squared_error: Tensor
    """Summed over pixels."""
    kl: Tensor | None
    """In nats, summed over latent dimensions; None for an autoencoder."""


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each image in nats, [B] (Kingma & Welling 2014)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)


def terms(images: Tensor, output: Output, kl_weight: float | None, likelihood: Likelihood) -> Terms:
    """The objective of a batch of images [B, C, H, W] in [0, 1].

    Nothing here depends on the batch size, but for the variance of a calibrated Gaussian, which is
    that of the batch. The notebook's loss, squared error summed over a batch of 512 plus KL
    averaged over batch and dimensions, divided by 512 is that of ``likelihood.Fixed`` with
    ``kl_weight = 1 / (512 · latent_dim)``.
    """
    # Sums over hundreds of pixels need float32, whatever the network computes in.
    wide = torch.promote_types(output.logits.dtype, torch.float32)
    images, logits = images.to(wide), output.logits.to(wide)
    error = squared_error(images, logits.sigmoid())
    cost = likelihood.cost(images, logits, error)
    if output.logvar is None:
        return Terms(cost, error, None)
    kl = kl_divergence(output.mean, output.logvar)
    return Terms(torch.add(cost, kl, alpha=kl_weight or 0.0), error, kl)
