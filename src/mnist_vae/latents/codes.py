"""Encoding and decoding: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import torch

from mnist_vae.latents.posteriors import Posterior
from mnist_vae.nets.devices import BATCH
from mnist_vae.nets.vae import VAE


@torch.inference_mode()
def encode(network: VAE, images: np.ndarray) -> Posterior:
    """The posteriors, float32, of images [N, C, H, W], uint8 or float32 in [0, 1]."""
    means, logvars = [], []
    for batch in torch.from_numpy(images).split(BATCH):
        pixels = batch.to(_device(network))
        mean, logvar = network.encode(pixels.float() / 255 if images.dtype == np.uint8 else pixels)
        means.append(mean.cpu().numpy())
        if logvar is not None:
            logvars.append(logvar.cpu().numpy())
    return Posterior(np.concatenate(means), np.concatenate(logvars) if logvars else None)


@torch.inference_mode()
def decode(network: VAE, latents: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1], float32 [..., C, H, W], of latents [..., D]."""
    flat = torch.from_numpy(np.asarray(latents, np.float32).reshape(-1, network.latent_dim))
    decoded = [network.decode(z.to(_device(network))).cpu() for z in flat.split(BATCH)]
    pixels = torch.cat(decoded).numpy()
    return pixels.reshape(*latents.shape[:-1], *pixels.shape[1:])


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Pixels in [0, 1] as uint8, rounded."""
    return np.rint(pixels * 255).astype(np.uint8)


def _device(network: VAE) -> torch.device:
    return network.mean.weight.device
