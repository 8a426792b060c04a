"""The convolutional VAE, and the same network as a plain autoencoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mnist_vae.nets.fast import (
    GridConv2d,
    GridConvTranspose2d,
    ImageConv2d,
    ImageConvTranspose2d,
    LatentLinear,
    StridedConv2d,
    StridedConvTranspose2d,
)


class Output(NamedTuple):
    """What a forward pass gives; ``logvar`` is None for an autoencoder."""

    logits: Tensor
    """[B, C, H, W], before the sigmoid that makes them pixels."""
    mean: Tensor
    """[B, D], mean of the posterior (the code of an autoencoder)."""
    logvar: Tensor | None
    """[B, D], log-variance of the posterior."""


class VAE(nn.Module):
    """Encoder to a diagonal Gaussian posterior, decoder to pixel logits.

    With MNIST's sizes and a 16-d latent it has the notebook's 213,537 parameters: convolutions
    1 → 16 → 32 (3x3, stride 2) and 32 → 64 (as large as the map that is left), two linear heads,
    and the mirror image of it all as the decoder.
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        variational: bool = True,
        image_size: int = 28,
        channels: int = 1,
        widths: tuple[int, int, int] = (16, 32, 64),
    ) -> None:
        super().__init__()
        if image_size < 4 or image_size % 4:
            raise ValueError(f"image_size is {image_size}, must be a positive multiple of 4")
        self.latent_dim, self.variational = latent_dim, variational
        a, b, c = widths
        grid = image_size // 4
        self.encoder = nn.Sequential(
            ImageConv2d(channels, a, relu=True),  # a x H/2 x W/2
            StridedConv2d(a, b, relu=True),  # b x H/4 x W/4
            GridConv2d(b, c, grid),  # c
            nn.ReLU(inplace=True),
        )
        self.mean = LatentLinear(c, latent_dim)
        self.logvar = LatentLinear(c, latent_dim) if variational else None
        self.decoder = nn.Sequential(
            LatentLinear(latent_dim, c),
            nn.ReLU(inplace=True),
            GridConvTranspose2d(c, b, grid, relu=True),  # b x H/4 x W/4
            StridedConvTranspose2d(b, a, relu=True),  # a x H/2 x W/2
            ImageConvTranspose2d(a, channels),  # channels x H x W
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Posterior mean and log-variance, [B, D] each, of images [B, C, H, W] in [0, 1].

        Never less than float32: what the objective does with these would show the rounding.
        """
        h = self.encoder(images)
        return self.mean(h), None if self.logvar is None else self.logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        """Pixels [B, C, H, W] in [0, 1] of latents [B, D]."""
        return self.decoder(z).sigmoid()

    def forward(self, images: Tensor, noise: Tensor) -> Output:
        """Encode, draw one latent with standard normal ``noise`` [B, D], decode.

        Images are [B, C, H, W] in [0, 1]. The noise comes from the caller, who holds the random
        generator; an autoencoder ignores it.
        """
        mean, logvar = self.encode(images)
        z = mean if logvar is None else mean + noise * (0.5 * logvar).exp()
        return Output(self.decoder(z), mean, logvar)
