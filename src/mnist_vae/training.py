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
from torch import Tensor, nn

from mnist_vae import checkpoint, device, layers, objective
from mnist_vae import model as model_module
from mnist_vae.artifacts import Arrays
from mnist_vae.checkpoint import Checkpoints
from mnist_vae.errors import InputError
from mnist_vae.layers import to_cells
from mnist_vae.model import VAE, ModelParams, initialize
from mnist_vae.params import Fraction, Range

FOLDER = Path("checkpoints")  # outside the outputs of DVC, which it deletes before a run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train: one entry of ``recipes`` in params.yaml."""

    epochs: Annotated[int, Range(1, 100_000)]
    """Passes over the training images."""
    batch_size: Annotated[int, Range(1, 60_000)]
    """Images a step; the last batch of an epoch holds what is left."""
    learning_rate: Annotated[float, Range(0, 10, above=True)]
    """Adam's learning rate: constant, or the peak of the schedule."""
    schedule: Literal["constant", "triangular"]
    """``triangular`` goes linearly from 0 to the peak and back to 0, step by step."""
    warmup: Fraction = 0.2
    """Part of all steps in which a triangular schedule goes up."""
    beta2: Annotated[float, Range(0, 0.999999)] = 0.999
    """Decay of Adam's average of squared gradients."""
    initialization: Literal["pytorch", "he"]
    """How parameters are drawn; see model.initialize."""
    precision: Literal["float32", "bfloat16"]
    """Of activations; bfloat16 only where the hardware has it, parameters always float32."""

    def rate(self, step: int, steps: int) -> float:
        """Learning rate of a step out of ``steps``, both ends of the triangle left out."""
        if self.schedule == "constant":
            return self.learning_rate
        done = (step + 1) / (steps + 1)
        if done < self.warmup:
            return self.learning_rate * done / self.warmup
        return self.learning_rate * (1 - done) / (1 - self.warmup)


class Epoch(NamedTuple):
    """Means over the images of one epoch, taken while the parameters moved."""

    epoch: int
    """From 1."""
    loss: float
    squared_error: float
    kl: float | None
    """In nats; None for an autoencoder."""


def train(
    model: VAE,
    settings: ModelParams,
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
    initialize(model, recipe.initialization, _generator(seed, 0), pixel_mean)
    mixed = recipe.precision == "bfloat16" and device.has_bfloat16(where)
    dtype = torch.bfloat16 if mixed else torch.float32
    optimizer = FlatAdam(model.to(where).train(), dtype, recipe.beta2)
    cells = to_cells(images)
    batches = math.ceil(size / recipe.batch_size)
    done: list[Epoch] = []
    if checkpoints and checkpoints.epochs:
        optimizer.restore(checkpoints.state)
        done = [Epoch(*epoch) for epoch in checkpoints.epochs]
    yield from done

    for epoch in range(len(done) + 1, recipe.epochs + 1):
        generator = _generator(seed, epoch)
        # One gather an epoch; then batches are slices.
        shuffled = cells[torch.randperm(size, generator=generator).to(where)]
        noise = torch.randn(size, model.latent_dim, generator=generator).to(where)
        totals = torch.zeros(3, dtype=torch.float64, device=where)
        slices = zip(shuffled.split(recipe.batch_size), noise.split(recipe.batch_size), strict=True)
        for step, (batch, eps) in enumerate(slices, (epoch - 1) * batches):
            pixels = batch / 255  # float32
            optimizer.zero_grad()
            terms = objective.terms(pixels, model(pixels.to(dtype), eps), settings.kl_weight)
            loss = terms.loss.sum()
            loss.backward()
            rate = recipe.rate(step, recipe.epochs * batches) * settings.learning_rate_scale
            optimizer.step(rate, 1 / len(batch))
            # Sums stay on the device: reading one here would wait for it at every step.
            kl = loss.new_zeros(()) if terms.kl is None else terms.kl.detach().sum()
            totals += torch.stack([loss.detach(), terms.squared_error.detach().sum(), kl])
        loss_mean, error, kl_mean = (totals / size).tolist()
        if not (math.isfinite(loss_mean) and bool(optimizer.master.isfinite().all())):
            raise InputError(
                f"the loss became {loss_mean} in epoch {epoch}: lower the recipe's learning_rate "
                "or the model's learning_rate_scale or kl_weight; nothing was published"
            )
        done.append(Epoch(epoch, loss_mean, error, kl_mean if model.variational else None))
        if epoch == recipe.epochs:
            optimizer.release()
        elif checkpoints:
            checkpoints.save(optimizer.state(), done)
        yield done[-1]


def checkpoints_of(
    name: str,
    settings: ModelParams,
    recipe: Recipe,
    images: Tensor,
    seed: int,
    folder: Path = FOLDER,
) -> Checkpoints:
    """Checkpoints of a training in ``folder``, named by all that decides its result."""
    code = [checkpoint, device, layers, model_module, objective]
    sources = [Path(str(module.__file__)) for module in code] + [Path(__file__)]
    decides = {
        "settings": dataclasses.asdict(settings),
        "recipe": dataclasses.asdict(recipe),
        "seed": seed,
        "images": hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest(),
        "code": [hashlib.sha256(source.read_bytes()).hexdigest() for source in sources],
        "torch": torch.__version__,
        "device": device.describe(images.device),
    }
    return Checkpoints(folder, name, decides)


class FlatAdam:
    """Adam (Kingma & Ba 2015) on all parameters of a model as one vector.

    The model's parameters and gradients become views of vectors in ``dtype``. Where that is less
    than float32, Adam keeps its own in float32 and copies it out after each step, so that steps
    smaller than the rounding are not lost. Kernels of convolutions lie channels last, which is how
    the layers read them. torch.optim's Adam computes the same, but imports a compiler first, which
    takes as long as an epoch.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype, beta2: float) -> None:
        self.parameters = list(model.parameters())
        self.master = torch.cat([_flat(p.detach()).float() for p in self.parameters])
        self.weights = self.master if dtype == torch.float32 else self.master.to(dtype)
        self.grads = torch.zeros_like(self.weights)
        self.mean, self.square = torch.zeros_like(self.master), torch.zeros_like(self.master)
        self.steps, self.beta1, self.beta2, self.eps = 0, 0.9, beta2, 1e-8
        views = zip(
            self.parameters, self._views(self.weights), self._views(self.grads), strict=True
        )
        for p, weight, grad in views:
            p.data, p.grad = weight, grad

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.grads.zero_()

    @torch.no_grad()
    def step(self, rate: float, scale: float) -> None:
        """Move by Adam at a learning rate, with the gradients times ``scale``."""
        self.steps += 1
        grad = self.grads.float() * scale
        self.mean.lerp_(grad, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        unbiased = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        spread = (self.square / unbiased[1]).sqrt_().add_(self.eps)
        self.master.addcdiv_(self.mean, spread, value=-rate / unbiased[0])
        if self.weights is not self.master:
            self.weights.copy_(self.master)

    def state(self) -> Arrays:
        """All that the next step depends on."""
        moving = {"weights": self.master, "mean": self.mean, "square": self.square}
        arrays = {name: tensor.cpu().numpy() for name, tensor in moving.items()}
        return {**arrays, "steps": np.array(self.steps)}

    def restore(self, state: Arrays) -> None:
        """Go back to what ``state`` gave."""
        self.master.copy_(torch.from_numpy(state["weights"]))
        self.mean.copy_(torch.from_numpy(state["mean"]))
        self.square.copy_(torch.from_numpy(state["square"]))
        self.steps = int(state["steps"])
        if self.weights is not self.master:
            self.weights.copy_(self.master)

    def release(self) -> None:
        """Leave the model its float32 parameters, in its own layout."""
        for p, weight in zip(self.parameters, self._views(self.master), strict=True):
            p.data, p.grad = weight.contiguous(), None

    def _views(self, flat: Tensor) -> Iterator[Tensor]:
        for part, p in zip(
            flat.split([p.numel() for p in self.parameters]), self.parameters, strict=True
        ):
            if p.ndim == 4:
                o, i, h, w = p.shape
                yield part.view(o, h, w, i).permute(0, 3, 1, 2)
            else:
                yield part.view(p.shape)


def _flat(parameter: Tensor) -> Tensor:
    return (parameter.permute(0, 2, 3, 1) if parameter.ndim == 4 else parameter).reshape(-1)


def _generator(seed: int, epoch: int) -> torch.Generator:
    state = int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])
    return torch.Generator().manual_seed(state)
