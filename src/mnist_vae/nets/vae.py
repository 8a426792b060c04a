"""The network: a convolutional VAE (Kingma & Welling 2014), and the same as a plain autoencoder.

Everything else follows this definition. What training minimizes stands in ``train.objective``;
``nets.fast`` computes the same on a processor in less time, with the same parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mnist_vae.nets import pyramid


class Output(NamedTuple):
    """What a forward pass gives; ``logvar`` is None for an autoencoder."""

    logits: Tensor
    """[B, C, H, W], before the sigmoid that makes them pixels."""
    mean: Tensor
    """[B, D], mean of the posterior (the code of an autoencoder)."""
    logvar: Tensor | None
    """[B, D], log-variance of the posterior."""


class VAE(nn.Module):
    """Encoder to a diagonal Gaussian posterior q(z|x), decoder to the logits of pixels.

    With the default sizes and a 16-d latent it has the notebook's 213,537 parameters. An
    autoencoder (``variational=False``) has no log-variance, and its code is the mean. Larger images
    go through more strides, see nets.pyramid. ``widths`` are the channels after each convolution,
    by default 16, twice as many after each stride, and 64. Raises ValueError for an ``image_size``
    that is no multiple of 4 from 8 to 256, or ``widths`` of another number.

    Its convolutions may be set to bfloat16; the linear layers to and from latents stay as they are,
    for posteriors can be as narrow as 0.002, where bfloat16's numbers above 2 are 0.016 apart.
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
        super().__init__()
        if widths is None:
            widths = pyramid.widths(image_size, last=64)
        pyramid.check_widths(image_size, widths)
        self.latent_dim, self.variational = latent_dim, variational
        self.image_size, self.channels = image_size, channels
        *larger, grid = pyramid.sizes(image_size)  # 28 and 14, and a grid of 7 x 7
        *strided, c = widths  # 16 and 32, and 64

        down: list[nn.Module] = []  # [B, 1, 28, 28]
        for inputs, outputs in pairwise((channels, *strided)):
            down += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
            # [B, 16, 14, 14], then [B, 32, 7, 7]
        self.encoder = nn.Sequential(
            *down,
            nn.Conv2d(strided[-1], c, grid),  # [B, 64, 1, 1]
            nn.ReLU(),
            nn.Flatten(),  # [B, 64]
        )
        self.mean = nn.Linear(c, latent_dim)
        self.logvar = nn.Linear(c, latent_dim) if variational else None

        self.hidden = nn.Sequential(nn.Linear(latent_dim, c), nn.ReLU())  # [B, 64]
        up: list[nn.Module] = [
            nn.Unflatten(1, (c, 1, 1)),  # [B, 64, 1, 1]
            nn.ConvTranspose2d(c, strided[-1], grid),  # [B, 32, 7, 7]
        ]
        steps = pairwise((*reversed(strided), channels))
        for size, (inputs, outputs) in zip(reversed(larger), steps, strict=True):
            # To twice the size, or one less where that was odd: [B, 16, 14, 14], [B, 1, 28, 28].
            even = 1 - size % 2
            doubling = nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=even)
            up += [nn.ReLU(), doubling]
        self.decoder = nn.Sequential(*up)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Posterior mean and log-variance, [B, D] each, of images [B, C, H, W] in [0, 1]."""
        # [B, 64], in float32 from here on, whatever the convolutions compute in.
        h = self.encoder(images.to(_dtype(self.encoder))).to(_dtype(self.mean))
        return self.mean(h), None if self.logvar is None else self.logvar(h)

    def logits(self, z: Tensor) -> Tensor:
        """Logits of the pixels, [B, C, H, W], of latents [B, D]."""
        return self.decoder(self.hidden(z).to(_dtype(self.decoder)))

    def decode(self, z: Tensor) -> Tensor:
        """Pixels in [0, 1], [B, C, H, W], of latents [B, D]."""
        return self.logits(z).sigmoid()

    def forward(self, images: Tensor, noise: Tensor) -> Output:
        """Encode, draw z = mean + std · noise, decode.

        ``noise`` [B, D] is standard normal, made by the caller's generator; an autoencoder ignores
        it.
        """
        mean, logvar = self.encode(images)
        # Drawn outside and scaled here, so that gradients reach mean and log-variance.
        z = mean if logvar is None else mean + noise * (0.5 * logvar).exp()
        return Output(self.logits(z), mean, logvar)


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
