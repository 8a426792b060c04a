"""How a model is trained: a recipe, and one loop that yields an epoch at a time."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mnist_vae.errors import InputError
from mnist_vae.nets import devices, fast, initialize, model, vae
from mnist_vae.nets.initialize import Initialization
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.params import Fraction, Range
from mnist_vae.train import checkpoint, objective, optimizer
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.optimizer import Optimizer

FOLDER = Path("checkpoints")  # outside the outputs of DVC, which it deletes before a run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: one entry of ``recipes`` in params.yaml."""

    epochs: Annotated[int, Range(1, 100_000)]
    """Passes over the training images."""
    batch_size: Annotated[int, Range(1, 60_000)]
    """Images a step; the last step of an epoch takes what is left."""
    last_batch_size: Annotated[int, Range(1, 60_000)] | None = None
    """Images a step in the last epoch, if batches grow: evenly, from epoch to epoch."""
    learning_rate: Annotated[float, Range(0, 10, above=True)]
    """Constant, or the peak of the schedule."""
    learning_rate_2d: Annotated[float, Range(0, 10, above=True)] | None = None
    """The same for models of at most 2 latent dimensions, if they need another."""
    schedule: Literal["constant", "triangular"]
    """``triangular`` goes linearly from 0 to the peak and back to 0, step by step."""
    warmup: Fraction = 0.2
    """Fraction of the training in which a triangular schedule goes up."""
    optimizer: Literal["adam", "muon"] = "adam"
    """Adam for all parameters, or Muon for the two largest kernels; see optimizer.Optimizer."""
    beta2: Annotated[float, Range(0, 0.999999)] = 0.999
    """Decay of Adam's average of squared gradients."""
    initialization: Initialization
    """How parameters are drawn; see model.initialize."""
    precision: Literal["float32", "bfloat16"]
    """Of activations but latents; bfloat16 only where the hardware has it, parameters float32."""

    def peak(self, model: ModelSettings) -> float:
        """The constant learning rate of a model, or the peak of its schedule."""
        own = self.learning_rate_2d if model.latent_dim <= 2 else None
        return (own or self.learning_rate) * model.learning_rate_scale

    def batch(self, epoch: int) -> int:
        """Images a step in an epoch, counted from 1."""
        grown = (epoch - 1) / max(self.epochs - 1, 1)
        last = self.last_batch_size or self.batch_size
        return round(self.batch_size + (last - self.batch_size) * grown)

    def rate(self, behind: float) -> float:
        """Fraction of the peak when the fraction ``behind`` of the training is done, 0 to 1."""
        if self.schedule == "constant":
            return 1.0
        if behind < self.warmup:
            return behind / self.warmup
        return (1 - behind) / (1 - self.warmup)


class Epoch(NamedTuple):
    """Means over the images of one epoch, taken while the parameters moved."""

    epoch: int
    """From 1."""
    loss: float
    squared_error: float
    kl: float | None
    """In nats; None for an autoencoder."""


def train(
    network: VAE,
    settings: ModelSettings,
    recipe: Recipe,
    images: Tensor,
    *,
    seed: int,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Epoch]:
    """Train a model in place, from a fresh initialization, and yield each epoch as it ends.

    With ``checkpoints`` a training that was killed goes on after its last epoch: the epochs before
    are yielded again from the checkpoint, and the end is the same bit for bit.

    ``images`` are uint8 [N, C, H, W] on the device to train on. All randomness (initialization,
    order, latent noise) is drawn on the CPU from the seed and the epoch's number, so that it is
    the same on every device. Raises InputError when the loss is no longer a number.
    """
    where, size = images.device, len(images)
    pixel_mean = float(images.float().mean()) / 255
    initialize.initialize(network, recipe.initialization, _generator(seed, 0), pixel_mean)
    dtype = pick_dtype(recipe, where)
    optim = Optimizer(
        network.to(where).train(), dtype, beta2=recipe.beta2, muon=recipe.optimizer == "muon"
    )
    done: list[Epoch] = []
    if checkpoints and checkpoints.epochs:
        optim.restore(checkpoints.state)
        done = [Epoch(*epoch) for epoch in checkpoints.epochs]
    yield from done

    for epoch in range(len(done) + 1, recipe.epochs + 1):
        generator = _generator(seed, epoch)
        # One gather an epoch; then batches are slices.
        order = torch.randperm(size, generator=generator).to(where)
        shuffled = images.index_select(0, order)  # half the time of images[order]
        noise = torch.randn(size, network.latent_dim, generator=generator).to(where)
        wide = torch.float32 if where.type == "mps" else torch.float64  # MPS has no float64
        totals = torch.zeros(3, dtype=wide, device=where)
        batch_size = recipe.batch(epoch)
        slices = zip(shuffled.split(batch_size), noise.split(batch_size), strict=True)
        for step, (batch, eps) in enumerate(slices):
            pixels = batch / 255  # float32
            optim.zero_grad()
            output = network(pixels.to(dtype), eps)
            terms = objective.terms(pixels, output, settings.kl_weight, settings.likelihood)
            terms.loss.mean().backward()
            # Half a step on, because a triangle's ends are 0.
            behind = (epoch - 1 + (step + 0.5) / math.ceil(size / batch_size)) / recipe.epochs
            optim.step(recipe.peak(settings) * recipe.rate(behind))
            # Sums stay on the device: reading one here would wait for it at every step.
            parts = [part for part in terms if part is not None]
            totals[: len(parts)] += torch.stack(parts).detach().sum(1)
        loss_mean, error, kl_mean = (totals / size).tolist()
        if not (math.isfinite(loss_mean) and bool(optim.master.isfinite().all())):
            raise InputError(
                f"the loss became {loss_mean} in epoch {epoch}: lower the recipe's learning_rate "
                "or the model's learning_rate_scale or kl_weight; no weights were published"
            )
        done.append(Epoch(epoch, loss_mean, error, kl_mean if network.variational else None))
        if epoch == recipe.epochs:
            optim.release()
        elif checkpoints:
            checkpoints.save(optim.state(), done)
        yield done[-1]


def pick_dtype(recipe: Recipe, where: torch.device) -> torch.dtype:
    """What a recipe's activations are computed in: bfloat16 only where the hardware has it."""
    mixed = recipe.precision == "bfloat16" and devices.has_bfloat16(where)
    return torch.bfloat16 if mixed else torch.float32


def checkpoints_of(
    name: str,
    settings: ModelSettings,
    recipe: Recipe,
    images: Tensor,
    seed: int,
    folder: Path = FOLDER,
) -> Checkpoints:
    """Checkpoints of a training in ``folder``, named by all that decides its result."""
    code = [checkpoint, devices, fast, initialize, model, vae, objective, optimizer]
    sources = [Path(str(module.__file__)) for module in code] + [Path(__file__)]
    decides = {
        "settings": dataclasses.asdict(settings),
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "images": hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest(),
        "code": [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources],
        "torch": torch.__version__,
        "device": devices.describe(images.device),
    }
    return Checkpoints(folder, name, decides)


def _generator(seed: int, epoch: int) -> torch.Generator:
    state = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
    return torch.Generator().manual_seed(state)
