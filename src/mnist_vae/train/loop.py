"""The one loop by which networks learn here, the VAE and the classifier; yields epoch by epoch."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from mnist_vae import parallel, seeds
from mnist_vae.errors import InputError
from mnist_vae.files.store import AGAIN
from mnist_vae.nets import devices, fast
from mnist_vae.train import graph
from mnist_vae.train.checkpoint import Checkpoints
from mnist_vae.train.optimizer import Optimizer
from mnist_vae.train.recipe import Recipe

CHUNK = 64 * 2**20
"""Bytes of examples that are gathered at a time."""


class Task(Protocol):
    """What is learned: a network, examples, and the loss of a batch of them."""

    remedy: str
    """What to do if the loss is no longer a number."""

    @property
    def network(self) -> nn.Module:
        """What learns, on the device to train on."""

    @property
    def image_size(self) -> int:
        """Height and width of the images."""

    @property
    def examples(self) -> tuple[Tensor, ...]:
        """Each [N, ...], on the device to train on; or on the CPU, where they are too many."""

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of what ``losses`` gives; the first is ``loss``."""

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor, ...]:
        """Random numbers for the next ``count`` examples of an epoch, [count, ...], on the CPU."""

    def losses(self, *batch: Tensor) -> tuple[Tensor, ...]:
        """Terms [B] of each example of a batch; training minimizes the mean of the first.

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
    tick: Callable[[int, float], None] | None = None,
) -> Iterator[Epoch]:
    """Train a network in place, from its parameters as they are, and yield each epoch as it ends.

    The network keeps the forms of nets.fast. On CUDA a step is a graph; see train.graph.
    Processes that train together (see parallel) give what one alone does, but for rounding.

    ``peak`` is the highest learning rate. With ``checkpoints`` a training that was killed goes on
    after its last epoch: the epochs before are yielded again, and the end is the same bit for bit.
    ``tick`` is told after each step which epoch it was of, and what part of that is done.

    Order and noise are drawn on the CPU from the seed and the epoch's number, so that they are the
    same on every device. Raises InputError when the loss or a weight is no longer a number.
    """
    network, size = task.network.train(), len(task.examples[0])
    device = next(network.parameters()).device
    wide = torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64
    dtype = pick_dtype(recipe, device)
    optimizer = Optimizer(network, dtype, beta2=recipe.beta2, muon=recipe.optimizer == "muon")
    fast.put_in(network, image_size=task.image_size, dtype=dtype)
    # Sums stay on the device: reading one at every step would wait for it.
    sums = torch.zeros(len(task.terms), dtype=wide, device=device)

    step = step_of(task, optimizer, sums)
    if device.type == "cuda" and parallel.count() == 1:
        step = graph.Graphed(step)

    done: list[Epoch] = []
    if checkpoints and checkpoints.epochs:
        done = go_on(checkpoints, optimizer, task, recipe)
    done = parallel.from_first(done, optimizer.changes())
    yield from done

    batches = feed(task, recipe, seed, len(done) + 1, device)
    for epoch in range(len(done) + 1, recipe.epochs + 1):
        steps = math.ceil(size / recipe.batch(epoch))
        rates = (peak * torch.tensor(recipe.rates(epoch, steps=steps))).to(device)
        sums.zero_()
        for number, (batch, rate) in enumerate(zip(batches, rates, strict=True), 1):
            step(rate, *batch)
            if tick:
                tick(epoch, number / steps)
        if epoch < recipe.epochs:
            batches = feed(task, recipe, seed, epoch + 1, device)  # while a GPU is still busy
        means = dict(zip(task.terms, (parallel.add_up(sums) / size).tolist(), strict=True))
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


def go_on(
    checkpoints: Checkpoints, optimizer: Optimizer, task: Task, recipe: Recipe
) -> list[Epoch]:
    """The epochs behind the newest checkpoint; the optimizer is set to what was after them.

    Raises InputError where they cannot be those of this training, whatever the checkpoint says.
    """
    done = [Epoch(number, dict(means)) for number, means in checkpoints.epochs]
    try:
        if len(done) >= recipe.epochs:
            raise ValueError(f"found {len(done)} epochs, must be below {recipe.epochs}")
        for epoch in done:
            if epoch.means.keys() != set(task.terms):
                found = ", ".join(epoch.means) or "nothing"
                raise ValueError(f"epoch {epoch.number} has {found}, must have {task.terms}")
        optimizer.restore(checkpoints.state)
    except ValueError as error:
        raise InputError(f"{checkpoints.path}: {error}{AGAIN}") from None
    return done


def step_of(task: Task, optimizer: Optimizer, sums: Tensor) -> graph.Step:
    """What takes a step at a learning rate on a batch, and adds its terms to ``sums`` [terms]."""

    def step(rate: Tensor, *batch: Tensor) -> None:
        optimizer.zero_grad()
        terms = task.losses(*parallel.own_rows(batch))
        (terms[0].sum() / len(batch[0])).backward()
        optimizer.step(rate)
        sums.add_(torch.stack(terms).detach().sum(1).to(sums.dtype))

    return step


def feed(
    task: Task, recipe: Recipe, seed: int, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, ...]]:
    """The batches of an epoch on the device, each with its random numbers.

    Examples are gathered some megabytes at a time, the first of them at once: a gather for each
    batch takes twice as long, and one for all of them the memory of all of them.
    """
    generator = torch.Generator().manual_seed(seeds.number(seed, "epoch", epoch))
    order = torch.randperm(len(task.examples[0]), generator=generator)
    batch_size = recipe.batch(epoch)
    example = sum(column[0].nbytes for column in task.examples)
    rows = max(1, CHUNK // example // batch_size) * batch_size

    def gather(part: Tensor) -> list[Tensor]:
        there = {column.device: to_device(part, column.device) for column in task.examples}
        columns = [column.index_select(0, there[column.device]) for column in task.examples]
        return [to_device(x, device) for x in (*columns, *task.draw(generator, len(part)))]

    chunks = map(gather, order.split(rows))
    first = next(chunks)
    return (
        batch
        for columns in itertools.chain((first,), chunks)
        for batch in zip(*(column.split(batch_size) for column in columns), strict=True)
    )


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy on a device; on CUDA without waiting for what the card has still to do."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def pick_dtype(recipe: Recipe, device: torch.device) -> torch.dtype:
    """What a recipe's activations are computed in: bfloat16 only where the hardware has it."""
    half = recipe.precision == "bfloat16" and devices.has_bfloat16(device)
    return torch.bfloat16 if half else torch.float32
