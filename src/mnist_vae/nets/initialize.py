"""How the parameters of a network are drawn before it learns."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from mnist_vae.nets import fast
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.vae import VAE

Initialization: TypeAlias = Literal["pytorch", "he", "looks_linear"]
Layer: TypeAlias = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


@torch.no_grad()
def initialize(
    network: VAE, scheme: Initialization, generator: torch.Generator, pixel_mean: float
) -> None:
    """Draw the parameters of a VAE or an autoencoder afresh.

    ``pytorch`` is the layers' own default, uniform in ±1/√fan_in by PyTorch's count of fan_in.
    ``he`` keeps the variance of activations (see ``he``). The decoder's first units bend at places
    spread over the latents. It starts with a small log-variance, so that the latent carries the
    image from the first step, and with an output whose mean is ``pixel_mean``, that of the images:
    learning that alone would take the first epochs. ``looks_linear`` is the same with units in
    pairs of opposite sign (Balduzzi et al. 2017): of two such, one fires whatever comes in, and
    what both pass on is linear in it. Units of tanh start linear as they are, and two of opposite
    sign would stay one: to these it is ``he``, without the gain that makes up for a ReLU.
    """
    relu = not isinstance(network, MLP)
    encoding, decoding = layers_of(network.encoder), layers_of(network.decoder)
    (hidden,) = layers_of(network.hidden)
    heads = [network.mean, network.logvar, decoding[-1]]  # no ReLU follows these
    for layer in layers_of(network):
        if scheme == "pytorch":
            uniform(layer, generator)
            continue
        assert layer.bias is not None
        std = he(layer, generator, gain=2 if relu and layer not in heads else 1)
        if layer is hidden:
            # As if by one more input, of size 2: latents soon spread that far.
            layer.bias.normal_(std=2 * std, generator=generator)
        elif scheme == "looks_linear" and relu:
            outputs, inputs = (1, 0) if isinstance(layer, nn.ConvTranspose2d) else (0, 1)
            if layer not in heads:
                _mirror(layer.weight, outputs)
            if layer not in (encoding[0], decoding[0]):  # what these see has no pairs
                _mirror(layer.weight, inputs)
    if scheme != "pytorch":
        pixel_mean = min(max(pixel_mean, 0.001), 0.999)  # images all black or white have no logit
        assert decoding[-1].bias is not None
        decoding[-1].bias.fill_(math.log(pixel_mean / (1 - pixel_mean)))
        if network.logvar is not None:
            network.logvar.weight.mul_(0.1)
            network.logvar.bias.fill_(-3.0)


def layers_of(network: nn.Module) -> list[Layer]:
    """The layers with parameters, in the order in which the network defines them.

    Raises ValueError for a network in its fast forms, whose layers are no longer to be seen.
    """
    if fast.is_placed(network):
        raise ValueError("the network is in its fast forms already: train a new one")
    return [layer for layer in network.modules() if isinstance(layer, Layer)]


def uniform(layer: Layer, generator: torch.Generator) -> None:
    """PyTorch's own default."""
    assert layer.bias is not None
    bound = 1 / math.sqrt(layer.weight[0].numel())
    layer.weight.uniform_(-bound, bound, generator=generator)
    layer.bias.uniform_(-bound, bound, generator=generator)


def he(layer: Layer, generator: torch.Generator, gain: float) -> float:
    """Normal weights that keep the variance of activations, biases of 0; returns their deviation.

    ``gain`` is 2 before a ReLU, 1 elsewhere (He et al. 2015). A transposed convolution really sums
    over fewer inputs than PyTorch's fan_in says, which counts its outputs.
    """
    if isinstance(layer, nn.ConvTranspose2d):
        overlap = math.prod(layer.kernel_size) / math.prod(layer.stride)
        # With stride 1 the kernel covers the whole map, and each output sees one input pixel.
        fan_in = layer.in_channels * (overlap if layer.stride != (1, 1) else 1)
    else:
        fan_in = layer.weight[0].numel()
    std = math.sqrt(gain / fan_in)
    layer.weight.normal_(std=std, generator=generator)
    assert layer.bias is not None
    layer.bias.zero_()
    return std


def _mirror(weight: Tensor, dim: int) -> None:
    """Make the second half of a kernel along a dimension the negative of the first."""
    half = weight.shape[dim] // 2
    weight.narrow(dim, half, half).copy_(-weight.narrow(dim, 0, half))
