"""Shift and scale of each latent dimension, set after training so that the KL is least.

A decoder whose first layer is linear does not care where a dimension lies and how far it spreads:
what the heads of the encoder are shifted and scaled by, that layer can undo exactly. The KL does
care, and a training of few epochs with a small KL weight leaves much of it unspent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from mnist_vae.errors import InputError
from mnist_vae.nets import devices
from mnist_vae.nets.vae import VAE


@torch.no_grad()
def recentre(network: VAE, images: Tensor) -> None:
    """Bring the mean KL of images to its least over shifts and scales of the latent dimensions.

    ``images`` are uint8 [N, C, H, W] on any device. Reconstructions stay as they are but
    for rounding, from the mean and from a draw alike. Raises ValueError for an autoencoder,
    InputError where a training has left latents that spread beyond all numbers.

    Only a diagonal map is exact: one that mixes dimensions (whitening by the full covariance)
    could be put into the head of the mean and the decoder, but a posterior with a diagonal
    covariance would not stay one. ``latents.priors`` fits what that leaves.
    """
    if network.logvar is None:
        raise ValueError("an autoencoder has no KL to bring to its least")
    device = network.mean.weight.device
    parts = images.split(devices.batch_size(device, network.image_size))
    shift, scale = moments(network.encode(part.to(device).float() / 255) for part in parts)
    if not (scale.isfinite() & (scale > 0)).all():
        raise InputError(
            "the spread of a latent dimension is no longer a finite number above 0: lower the "
            "recipe's learning_rate or raise the model's kl_weight; no weights were published"
        )
    rescale(network, shift, scale)


def moments(posteriors: Iterable[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each dimension over draws from posteriors, [D] each.

    ``posteriors`` are batches of means and log-variances, [B, D] each, of which none is kept.

    Of all shifts a and scales s, these give (z - a) / s the least mean KL from N(0, 1), which is
    then ½ (log s² - mean of logvar): the derivatives of the mean of
    ½ ((mean - a)² / s² + exp(logvar) / s² - 1 - logvar + log s²) vanish there alone.
    """
    count, origin = 0, torch.zeros(())
    sums = torch.zeros(3, 1)
    for mean, logvar in posteriors:
        assert logvar is not None
        wide = torch.float32 if mean.device.type == "mps" else torch.float64  # MPS has no float64
        mean, logvar = mean.to(wide), logvar.to(wide)
        if not count:
            origin = mean.mean(0)  # near the mean of all, so that squares lose nothing
            sums = torch.zeros(3, mean.shape[1], dtype=wide, device=mean.device)
        count += len(mean)
        moved = mean - origin
        sums += torch.stack([moved.sum(0), moved.square().sum(0), logvar.exp().sum(0)])
    shift, square, noise = sums / count
    return origin + shift, (square - shift.square() + noise).sqrt()


@torch.no_grad()
def rescale(network: VAE, shift: Tensor, scale: Tensor) -> None:
    """Give each latent dimension z the value (z - shift) / scale, and let the decoder undo it.

    ``shift`` and ``scale`` are [D], the scales above 0. The network computes the same images.
    """
    assert network.logvar is not None
    first = network.hidden[0]
    assert isinstance(first, nn.Linear)
    _set(network.mean, lambda w, b: (w / scale[:, None], (b - shift) / scale))
    _set(network.logvar, lambda w, b: (w, b - 2 * scale.log()))
    _set(first, lambda w, b: (w * scale, b + w @ shift))


def _set(layer: nn.Linear, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> None:
    """Change weight and bias, computed in float64 where the device has it."""
    wide = torch.float32 if layer.weight.device.type == "mps" else torch.float64
    weight, bias = change(layer.weight.to(wide), layer.bias.to(wide))
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
