"""Encoding and decoding: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import torch

from mnist_vae.errors import InputError
from mnist_vae.files.kind import LARGEST
from mnist_vae.files.latents import LARGEST_LOGVAR
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.nets import devices
from mnist_vae.nets.vae import VAE


@torch.inference_mode()
def encode(network: VAE, images: np.ndarray) -> Posterior:
    """The posteriors, float32, of images [N, C, H, W], uint8 or float32 in [0, 1].

    Raises InputError for a network that gives latents which nothing can be computed with.
    """
    device = _device(network)
    means, logvars = [], []
    for batch in torch.from_numpy(images).split(devices.batch_size(device, network.image_size)):
        pixels = batch.to(device)
        mean, logvar = network.encode(pixels.float() / 255 if images.dtype == np.uint8 else pixels)
        means.append(mean.cpu().numpy())
        if logvar is not None:
            logvars.append(logvar.cpu().numpy())
    found = Posterior(np.concatenate(means), np.concatenate(logvars) if logvars else None)
    _check("mean", found.mean, LARGEST)
    if found.logvar is not None:
        _check("log-variance", found.logvar, LARGEST_LOGVAR)
    return found


def _check(name: str, array: np.ndarray, largest: float) -> None:
    if not ((array >= -LARGEST) & (array < largest)).all():  # a NaN is not in them either
        raise InputError(
            f"the model gives an image a {name} that is not in {-LARGEST:g} to {largest:g}, as "
            "after a training that diverged: train it with a smaller learning rate"
        )


@torch.inference_mode()
def decode(network: VAE, latents: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], float32 [..., C, H, W], of latents [..., D].

    Raises InputError for a network that makes pixels which are no numbers.
    """
    device = _device(network)
    flat = torch.from_numpy(np.asarray(latents, np.float32).reshape(-1, network.latent_dim))
    batches = flat.split(devices.batch_size(device, network.image_size))
    pixels = torch.cat([network.decode(z.to(device)).cpu() for z in batches]).numpy()
    if np.isnan(pixels).any():
        raise InputError(
            "the model decodes a latent to pixels that are no numbers, as after a training that "
            "diverged: train it with a smaller learning rate"
        )
    return pixels.reshape(*latents.shape[:-1], *pixels.shape[1:])


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as uint8, rounded."""
    return np.rint(pixels * 255).astype(np.uint8)


def _device(network: VAE) -> torch.device:
    return network.mean.weight.device
