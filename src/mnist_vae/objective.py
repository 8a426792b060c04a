"""The two terms of a VAE's objective, per image: written once, for training and evaluation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mnist_vae.model import Output


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
    return (pixels - images).square().flatten(1).sum(1)


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each image in nats, [B] (Kingma & Welling 2014)."""
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)


def terms(cells: Tensor, output: Output, kl_weight: float | None) -> Terms:
    """The objective of a batch of images, as cells [B, G, G, K] in [0, 1], image by image.

    Nothing here depends on the batch size. The notebook's loss, squared error summed over a batch
    of 512 plus KL averaged over batch and dimensions, divided by 512 is this one with
    ``kl_weight = 1 / (512 · latent_dim)``.
    """
    # Sums over hundreds of pixels need float32, whatever the network computes in.
    wide = torch.promote_types(output.logits.dtype, torch.float32)
    error = squared_error(cells.to(wide), output.logits.to(wide).sigmoid())
    if output.logvar is None:
        return Terms(error, error, None)
    kl = kl_divergence(output.mean, output.logvar)
    return Terms(torch.add(error, kl, alpha=kl_weight or 0.0), error, kl)
