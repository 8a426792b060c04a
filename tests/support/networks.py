"""Small untrained networks, numbers to feed them, and gradients to compare."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.nets.initialize import Initialization, initialize
from mnist_vae.nets.vae import VAE
from mnist_vae.train.optimizer import Optimizer

LABELS = np.random.default_rng(1).permutation(np.arange(256) % 10).astype(np.uint8)
"""Of 256 images, each digit as often as the others."""


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Uniform numbers in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def fresh(network: VAE, scheme: Initialization = "looks_linear", seed: int = 0) -> VAE:
    """The network with parameters drawn for images whose mean is that of MNIST."""
    initialize(network, scheme, torch.Generator().manual_seed(seed), 0.13)
    return network


def mix_precision(network: nn.Module) -> None:
    """Set the convolutions to bfloat16, as training does."""
    Optimizer(network, torch.bfloat16, beta2=0.99, muon=True)


def gradients(
    outputs: Sequence[Tensor | None], network: nn.Module, *leaves: Tensor
) -> list[Tensor]:
    """Of a nonlinear function of a network's outputs, by its parameters and by ``leaves``."""
    loss = sum(
        output.square().sum() + output.sin().sum() for output in outputs if output is not None
    )
    assert isinstance(loss, Tensor)
    return list(torch.autograd.grad(loss, [*network.parameters(), *leaves]))


def make_network(dim: int = 4, *, variational: bool = True) -> VAE:
    """A network with parameters that make its outputs vary."""
    torch.manual_seed(dim)
    network = VAE(dim, variational=variational).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.7)
    return network


def collapse(network: VAE) -> VAE:
    """Let a VAE's posterior be the prior for every image."""
    with torch.no_grad():
        for head in (network.mean, network.logvar):
            assert head is not None
            head.weight.zero_()
            head.bias.zero_()
    return network
