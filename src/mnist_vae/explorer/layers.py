"""A network as a list of layers that templates/network.js computes.

It follows ``nets.vae`` and ``nets.classifier`` part by part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.explorer.pack import pack, unpack
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.vae import VAE

Layers = list[dict[str, Any]]


def encoder_layers(network: VAE, bits: int = 16) -> Layers:
    """From images to the layer that mean and log-variance are read from."""
    return list(_layers(network.encoder, network.channels, network.image_size, bits))


def head_layers(head: nn.Linear | None, bits: int = 16) -> Layers | None:
    """From there to the mean, or to the log-variance where there is one."""
    return None if head is None else list(_layers([head], head.in_features, 1, bits))


def decoder_layers(network: VAE, bits: int = 16) -> Layers:
    """From latents to pixels."""
    parts = [*network.hidden, *network.decoder]
    return [*_layers(parts, network.latent_dim, 1, bits), {"op": "sigmoid"}]


def classifier_layers(network: Classifier, bits: int = 16) -> Layers:
    """From images to the logits of classes."""
    parts = [*network.body, network.head]
    return list(_layers(parts, network.channels, network.image_size, bits))


def _layers(
    modules: Iterable[nn.Module], channels: int, size: int, bits: int
) -> Iterator[dict[str, Any]]:
    """One layer for each module that computes, of ``channels`` maps of ``size`` x ``size``."""
    for module in modules:
        match module:
            case nn.Flatten() | nn.Unflatten():
                continue  # arrays are flat in the page
            case nn.ReLU():
                yield {"op": "relu"}
            case nn.Linear():
                channels = module.out_features
                yield {"op": "linear", **_parameters(module, bits)}
            case nn.Conv2d() | nn.ConvTranspose2d():
                assert not isinstance(module.padding, str)
                kernel, stride, padding = (
                    pair[0] for pair in (module.kernel_size, module.stride, module.padding)
                )
                if isinstance(module, nn.ConvTranspose2d):
                    op, more = "spread", int(module.output_padding[0])
                    after = (size - 1) * stride - 2 * padding + kernel + more
                else:
                    op, after = "gather", (size + 2 * padding - kernel) // stride + 1
                yield {
                    "op": op,
                    **_parameters(module, bits),
                    "inputs": channels,
                    "outputs": module.out_channels,
                    "kernel": kernel,
                    "stride": stride,
                    "padding": padding,
                    "before": size,
                    "after": after,
                }
                channels, size = module.out_channels, after
            case _:
                raise TypeError(f"the page cannot compute a layer such as {module}")


def _parameters(module: nn.Module, bits: int) -> dict[str, Any]:
    """Weight and bias of a layer; a bias is one row."""
    weight, bias = (_numbers(module.get_parameter(name)) for name in ("weight", "bias"))
    return {"weight": pack(weight, bits), "bias": pack(bias[None])}


def _numbers(parameter: Tensor) -> np.ndarray:
    return parameter.detach().cpu().float().numpy()


def rounded(network: VAE, bits: int = 16) -> VAE:
    """A network with the weights that a page has, to measure what rounding costs."""
    copy = deepcopy(network)
    with torch.no_grad():
        for parameter in copy.parameters():
            array = _numbers(parameter)
            packed = pack(array[None]) if array.ndim == 1 else pack(array, bits)
            parameter.copy_(torch.from_numpy(unpack(packed).reshape(array.shape)))
    return copy
