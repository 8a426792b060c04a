"""Training of a VAE or an autoencoder."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from mnist_vae import parallel, seeds
from mnist_vae.nets import devices, fast, initialize, likelihood, mlp, pyramid
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.train import graph, loop, objective
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.optimizer import Optimizer
from mnist_vae.train.recentre import recentre
from mnist_vae.train.recipe import Recipe

FOLDER = Path("checkpoints")  # outside the outputs of DVC, which it deletes before a run


@dataclasses.dataclass
class Autoencode:
    """A ``loop.Task``: to give back the images that went in."""

    network: VAE
    settings: ModelSettings
    examples: tuple[Tensor]
    """uint8 [N, C, H, W]"""
    binarise: bool = False
    """Draw each pixel in each epoch: white with the probability that its grey is of white."""
    remedy = "lower the recipe's learning_rate or the model's learning_rate_scale or kl_weight"

    @property
    def image_size(self) -> int:
        """Height and width."""
        return self.network.image_size

    @property
    def terms(self) -> tuple[str, ...]:
        """Those of the objective that there are."""
        return objective.Terms._fields[: 3 if self.network.variational else 2]

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor, ...]:
        """The noise of the latents, [count, D]; and of pixels, if they are drawn, as the images."""
        noise = torch.randn(count, self.network.latent_dim, generator=generator)
        if not self.binarise:
            return (noise,)
        shape = count, *self.examples[0].shape[1:]
        return noise, torch.randint(255, shape, dtype=torch.uint8, generator=generator)

    def losses(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """The terms of the objective."""
        images, *noise = batch
        pixels = (noise[1] < images).float() if self.binarise else images / 255
        output = self.network(pixels, noise[0])
        terms = objective.terms(
            pixels, output, self.settings.kl_weight, likelihood.KINDS[self.settings.likelihood]
        )
        return tuple(term for term in terms if term is not None)


def train(
    network: VAE,
    settings: ModelSettings,
    recipe: Recipe,
    images: Tensor,
    *,
    seed: int,
    binarise: bool = False,
    device: torch.device | None = None,
    checkpoints: Checkpoints | None = None,
    tick: Callable[[int, float], None] | None = None,
) -> Iterator[loop.Epoch]:
    """Initialize and train a network in place; see ``loop.train``, and ``Autoencode.binarise``.

    ``images`` are uint8 [N, C, H, W] on the device to train on, which ``device`` names where they
    are too many for it and stay on the CPU. An epoch's means are ``loss``, ``squared_error`` and,
    in nats, the ``kl`` of a VAE, as they were before the latents are recentred after the last one,
    if the recipe says so.
    """
    generator = torch.Generator().manual_seed(seeds.number(seed, "initialize"))
    # In parts, for torch makes numbers of eight bytes of all that it sums.
    parts = images.reshape(-1).split(2**22)
    total = sum(int(part.sum(dtype=torch.int64)) for part in parts)
    pixel_mean = total / images.numel() / 255
    initialize.initialize(network, recipe.initialization, generator, pixel_mean)
    task = Autoencode(network.to(device or images.device), settings, (images,), binarise)
    yield from loop.train(
        task, recipe, peak=recipe.peak(settings), seed=seed, checkpoints=checkpoints, tick=tick
    )
    if recipe.recentre and network.variational:
        recentre(network, images)


def checkpoints_of(
    name: str,
    settings: ModelSettings,
    recipe: Recipe,
    images: Tensor,
    seed: int,
    binarise: bool = False,
    device: torch.device | None = None,
    folder: Path = FOLDER,
) -> Checkpoints:
    """Checkpoints of a training in ``folder``, named by all that decides its result."""
    device = device or images.device
    nets = (devices, fast, initialize, likelihood, mlp, pyramid)
    modules = (*nets, graph, loop, objective, parallel, seeds)
    classes = (Autoencode, Checkpoints, ModelSettings, Optimizer, Recipe, VAE)
    code = [Path(inspect.getfile(source)) for source in (*modules, *classes)]
    decides = {
        "settings": msgspec.to_builtins(settings),
        "recipe": msgspec.to_builtins(recipe),
        "seed": seed,
        "binarise": binarise,
        "shape": list(images.shape),
        "images": hashlib.sha256(images.cpu().contiguous().numpy().data).hexdigest(),
        "code": [hashlib.sha256(file.read_bytes()).hexdigest() for file in code],
        "torch": torch.__version__,
        "device": devices.describe(device),
        "instructions": devices.instructions(device),
        "precision": str(loop.pick_dtype(recipe, device)),
        "processes": parallel.count(),
    }
    return Checkpoints(folder, name, decides)
