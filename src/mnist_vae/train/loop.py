"""The one loop by which networks learn here, the VAE and the classifier; yields epoch by epoch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.nets import devices, fast
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.optimizer import Optimizer
from mnist_vae.train.recipe import Recipe


class Task(Protocol):
    """What is learned: a network, examples, and the loss of a batch of them."""

    remedy: str
    """What to do if the loss is no longer a number."""

    @property
    def network(self) -> nn.Module:
        """What learns."""

    @property
    def image_size(self) -> int:
        """Height and width of the images."""

    @property
    def examples(self) -> tuple[Tensor, ...]:
        """Each [N, ...], on the device to train on."""

    def draw(self, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Random numbers for the examples of an epoch, each [N, ...], on the CPU."""

    def losses(self, *batch: Tensor) -> dict[str, Tensor]:
        """Terms [B] of each example of a batch; training minimizes the mean of ``loss``.

        ``batch`` are rows of ``examples``, then rows of what ``draw`` gave.
        """


@dataclasses.dataclass(frozen=True)
class Epoch:
    """A pass over the examples."""

    number: int
    """From 1."""
    means: dict[str, float]
    """Of the terms of the loss over all examples, taken while the parameters moved."""


def train(
    task: Task,
    recipe: Recipe,
    *,
    peak: float,
    seed: int,
    checkpoints: Checkpoints | None = None,
) -> Iterator[Epoch]:
    """Train a network in place, from its parameters as they are, and yield each epoch as it ends.

    On a CPU the network keeps the forms of nets.fast.

    ``peak`` is the highest learning rate. With ``checkpoints`` a training that was killed goes on
    after its last epoch: the epochs before are yielded again, and the end is the same bit for bit.

    Order and noise are drawn on the CPU from the seed and the epoch's number, so that they are the
    same on every device. Raises InputError when the loss or a weight is no longer a number.
    """
    device, size = task.examples[0].device, len(task.examples[0])
    wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
    dtype = pick_dtype(recipe, device)
    network = task.network.to(device).train()
    optimizer = Optimizer(network, dtype, beta2=recipe.beta2, muon=recipe.optimizer == "muon")
    if device.type == "cpu":
        fast.for_cpu(network, image_size=task.image_size, dtype=dtype)
    done: list[Epoch] = []
    if checkpoints and checkpoints.epochs:
        optimizer.restore(checkpoints.state)
        done = [Epoch(*epoch) for epoch in checkpoints.epochs]
    yield from done

    for epoch in range(len(done) + 1, recipe.epochs + 1):
        generator = torch.Generator().manual_seed(seeds.number(seed, "epoch", epoch))
        order = torch.randperm(size, generator=generator).to(device)
        # One gather an epoch; then batches are slices. Half the time of examples[order].
        columns = [examples.index_select(0, order) for examples in task.examples]
        columns += [random.to(device) for random in task.draw(generator)]
        batch_size = recipe.batch(epoch)
        batches = zip(*(column.split(batch_size) for column in columns), strict=True)
        rates = recipe.rates(epoch, steps=math.ceil(size / batch_size))
        sums = torch.zeros((), dtype=wide, device=device)
        for batch, rate in zip(batches, (peak * torch.tensor(rates)).to(device), strict=True):
            optimizer.zero_grad()
            losses = task.losses(*batch)
            losses["loss"].mean().backward()
            optimizer.step(rate)
            # Sums stay on the device: reading one here would wait for it at every step.
            sums = sums + torch.stack(list(losses.values())).detach().sum(1).to(wide)
        means = dict(zip(losses, (sums / size).tolist(), strict=True))
        problem = None
        if not math.isfinite(means["loss"]):
            problem = f"the loss became {means['loss']}"
        elif not optimizer.master.isfinite().all():
            problem = "a weight was no longer a finite number"
        if problem:
            remedy = f"{task.remedy}; no weights were published"
            raise InputError(f"{problem} in epoch {epoch}: {remedy}")
        done.append(Epoch(epoch, means))
        if epoch == recipe.epochs:
            optimizer.release()
            network.eval()
        elif checkpoints:
            checkpoints.save(optimizer.state(), [(e.number, e.means) for e in done])
        yield done[-1]


def pick_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What a recipe's activations are computed in: bfloat16 only where the hardware has it."""
    half = recipe.precision == "bfloat16" and devices.has_bfloat16(device)
    return torch.bfloat16 if half else torch.float32
