"""Small trainings of VAEs, which take seconds or less."""

from __future__ import annotations

from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.train import autoencode
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.loop import Epoch
from mnist_vae.train.recipe import Recipe
from support.project import images_of

VARIATIONAL = ModelSettings(kind="vae", latent_dim=4, kl_weight=0.01)
PLAIN = ModelSettings(kind="ae", latent_dim=4)
RECIPE = Recipe(
    epochs=2,
    batch_size=64,
    learning_rate=0.01,
    schedule="triangular",
    initialization="looks_linear",
    precision="float32",
)


def as_tensor(images: np.ndarray) -> Tensor:
    """Images as training takes them, uint8 [N, 1, 28, 28]."""
    return torch.from_numpy(images.copy())


def digits() -> tuple[Tensor, Tensor]:
    """400 real images, uint8 [400, 1, 28, 28], and their labels."""
    arrays = images_of("train")
    return as_tensor(arrays["images"]), torch.from_numpy(arrays["labels"])


def train(
    images: Tensor,
    settings: ModelSettings = VARIATIONAL,
    recipe: Recipe = RECIPE,
    seed: int = 0,
    *,
    checkpoints: Checkpoints | None = None,
    stop: int | None = None,
) -> tuple[VAE, list[Epoch]]:
    """A trained model and its epochs; after ``stop`` of them, as if killed then."""
    network = build(settings)
    epochs = autoencode.train(network, settings, recipe, images, seed=seed, checkpoints=checkpoints)
    return network, list(islice(epochs, stop))


def pairs(one: nn.Module, other: nn.Module) -> list[tuple[str, tuple[Tensor, Tensor]]]:
    """Parameters of two networks by name."""
    theirs = other.state_dict()
    return [(name, (value, theirs[name])) for name, value in one.state_dict().items()]


def differing(one: nn.Module, other: nn.Module) -> list[str]:
    """Names of the parameters that are not the same bit for bit."""
    return [name for name, values in pairs(one, other) if not torch.equal(*values)]
