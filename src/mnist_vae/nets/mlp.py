"""The network without convolutions: layers of tanh each way, as in Burda et al. (2016).

It is what published likelihoods of small VAEs on MNIST were measured with.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from mnist_vae.nets.vae import VAE

WIDTHS = (200, 200)
"""Units of each hidden layer, where none are given."""


class MLP(VAE):
    """The same encoder and decoder as functions of latents and images, of linear layers and tanh.

    ``widths`` are the units of the encoder's hidden layers; the decoder has them in reverse. All of
    it stays in float32 where convolutions would be set to bfloat16. Raises ValueError where there
    is no hidden layer.
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        variational: bool = True,
        image_size: int = 28,
        channels: int = 1,
        widths: Sequence[int] | None = None,
    ) -> None:
        nn.Module.__init__(self)  # not VAE's own, which makes convolutions
        widths = WIDTHS if widths is None else widths
        if not widths:
            raise ValueError("widths has no numbers, must have one for each hidden layer")
        self.latent_dim, self.variational = latent_dim, variational
        self.image_size, self.channels = image_size, channels
        shape = channels, image_size, image_size
        pixels = channels * image_size * image_size

        down: list[nn.Module] = [nn.Flatten()]  # [B, 784]
        for inputs, outputs in pairwise((pixels, *widths)):
            down += [nn.Linear(inputs, outputs), nn.Tanh()]  # [B, 200]
        self.encoder = nn.Sequential(*down)
        self.mean = nn.Linear(widths[-1], latent_dim)
        self.logvar = nn.Linear(widths[-1], latent_dim) if variational else None

        self.hidden = nn.Sequential(nn.Linear(latent_dim, widths[-1]), nn.Tanh())  # [B, 200]
        up: list[nn.Module] = []
        for inputs, outputs in pairwise(reversed(widths)):
            up += [nn.Linear(inputs, outputs), nn.Tanh()]  # [B, 200]
        # [B, 1, 28, 28]
        self.decoder = nn.Sequential(*up, nn.Linear(widths[0], pixels), nn.Unflatten(1, shape))
