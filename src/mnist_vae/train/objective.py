"""The two terms of a VAE's objective, per image, as training differentiates them.

What metrics.py says of a trained model is the same in float64 and NumPy; tests hold both together.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from mnist_vae.nets.vae import Output


class Terms(NamedTuple):
    """The parts of the objective, [B] each, of every image by itself."""

    loss: Tensor
    """What training minimizes the mean of: reconstruction + kl_weight · KL."""
    squared_error: Tensor
    """Summed over pixels."""
    kl: Tensor | None
    """In nats, summed over latent dimensions; None for an autoencoder."""


def squared_error(images: Tensor, pixels: Tensor) -> Tensor:
    """Squared error summed over the pixels of each image, [B]."""
    return F.mse_loss(pixels, images, reduction="none").flatten(1).sum(1)


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each image in nats, [B] (Kingma & Welling 2014)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)


def reconstruction(likelihood: str, images: Tensor, logits: Tensor, error: Tensor) -> Tensor:
    """What it costs to reconstruct each image, [B], given its squared error too.

    ``fixed`` is the squared error summed over pixels: up to scale, a Gaussian of a variance that
    the KL's weight implies. ``gaussian`` is the negative log-likelihood, in nats, of a Gaussian
    with one variance shared by all pixels, in closed form: the mean squared error itself (Rybkin,
    Daniilidis & Levine 2021). ``bernoulli`` is the binary cross-entropy, in nats.
    """
    if likelihood == "bernoulli":
        cost = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
        return cost.flatten(1).sum(1)
    if likelihood == "gaussian":
        # The best variance for these images: it has no gradient, being at the minimum.
        pixels = images[0].numel()
        variance = error.detach().mean() / pixels
        return 0.5 * (error / variance + pixels * (2 * math.pi * variance).log())
    return error


def terms(
    images: Tensor, output: Output, kl_weight: float | None, likelihood: str = "fixed"
) -> Terms:
    """The objective of a batch of images [B, C, H, W] in [0, 1], image by image.

    Nothing here depends on the batch size, but for the variance of ``gaussian``, which is that of
    the batch. The notebook's loss, squared error summed over a batch of 512 plus KL averaged over
    batch and dimensions, divided by 512 is ``fixed`` with ``kl_weight = 1 / (512 · latent_dim)``.
    """
    # Sums over hundreds of pixels need float32, whatever the network computes in.
    wide = torch.promote_types(output.logits.dtype, torch.float32)
    images, logits = images.to(wide), output.logits.to(wide)
    error = squared_error(images, logits.sigmoid())
    cost = reconstruction(likelihood, images, logits, error)
    if output.logvar is None:
        return Terms(cost, error, None)
    kl = kl_divergence(output.mean, output.logvar)
    return Terms(torch.add(cost, kl, alpha=kl_weight or 0.0), error, kl)
