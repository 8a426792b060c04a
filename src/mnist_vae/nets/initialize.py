"""How the parameters of a network are drawn before it learns."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from mnist_vae.nets.fast import GridConvTranspose2d
from mnist_vae.nets.vae import VAE

Initialization = Literal["pytorch", "he", "looks_linear"]


@torch.no_grad()
def initialize(
    model: VAE, how: Initialization, generator: torch.Generator, pixel_mean: float
) -> None:
    """Draw the parameters afresh.

    ``pytorch`` is the layers' own default, uniform in ±1/√fan_in by PyTorch's count of fan_in.
    ``he`` keeps the variance of activations through ReLU layers (He et al. 2015) with the number
    of inputs that a transposed convolution really sums, PyTorch's count being of its outputs. The
    decoder's first units bend at places spread over the latents. It starts with a small
    log-variance, so that the latent carries the image from the first step, and with an output whose
    mean is ``pixel_mean``, that of the images: learning that alone would take the first epochs.
    ``looks_linear`` is the same with units in pairs of opposite sign (Balduzzi et al. 2017): of two
    such, one fires whatever comes in, and what both pass on is linear in it.
    """
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        weight, bias = layer.weight, layer.bias
        assert bias is not None
        if how == "pytorch":
            bound = 1 / math.sqrt(weight[0].numel())
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
            continue
        if isinstance(layer, GridConvTranspose2d):
            fan_in = float(layer.in_channels)
        elif isinstance(layer, nn.ConvTranspose2d):
            fan_in = layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
        else:
            fan_in = weight[0].numel()
        # Gain 2 before a ReLU, 1 before the latent heads and the logits.
        head = layer in (model.mean, model.logvar, model.decoder[-1])
        std = math.sqrt((1 if head else 2) / fan_in)
        weight.normal_(std=std, generator=generator)
        if layer is model.decoder[0]:
            # As if by one more input, of size 2: latents soon spread that far.
            bias.normal_(std=2 * std, generator=generator)
            continue
        bias.zero_()
        if how == "looks_linear":
            outputs, inputs = (1, 0) if isinstance(layer, nn.ConvTranspose2d) else (0, 1)
            if not head:
                _mirror(weight, outputs)
            if layer not in (model.encoder[0], model.decoder[2]):  # what these see has no pairs
                _mirror(weight, inputs)
    if how != "pytorch":
        pixel_mean = min(max(pixel_mean, 0.001), 0.999)  # images all black or white have no logit
        output = model.decoder[-1]
        assert isinstance(output, nn.ConvTranspose2d)
        assert output.bias is not None
        output.bias.fill_(math.log(pixel_mean / (1 - pixel_mean)))
        if model.logvar is not None:
            model.logvar.weight.mul_(0.1)
            model.logvar.bias.fill_(-3.0)


def _mirror(weight: Tensor, dim: int) -> None:
    """Make the second half of a kernel along a dimension the negative of the first."""
    half = weight.shape[dim] // 2
    weight.narrow(dim, half, half).copy_(-weight.narrow(dim, 0, half))
