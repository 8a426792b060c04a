"""How to train: an entry of ``recipes`` in params.yaml."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mnist_vae.nets.initialize import Initialization
from mnist_vae.nets.model import ModelSettings
from mnist_vae.settings import Fraction, Settings


class Recipe(Settings, frozen=True, kw_only=True):
    """Epochs, batches, optimizer and schedule of a training."""

    epochs: Annotated[int, Meta(ge=1, le=100_000)]
    """Passes over the training images."""
    least_images: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    """Images that a training sees at least: where there are few, it has more epochs."""
    batch_size: Annotated[int, Meta(ge=1, le=10_000_000)]
    """Images a step; the last step of an epoch takes what is left."""
    last_batch_size: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    """Images a step in the last epoch, if batches grow: evenly, from epoch to epoch."""
    learning_rate: Annotated[float, Meta(gt=0, le=10)]
    """Constant, or the peak of the schedule."""
    learning_rate_2d: Annotated[float, Meta(gt=0, le=10)] | None = None
    """The same for models of at most 2 latent dimensions, if they need another."""
    schedule: Literal["constant", "triangular"]
    """``triangular`` goes linearly from 0 to the peak and back to 0, step by step."""
    warmup: Fraction = 0.2
    """Fraction of the training in which a triangular schedule goes up."""
    optimizer: Literal["adam", "muon"] = "adam"
    """Adam for all parameters, or Muon for those that hold most; see optimizer.Optimizer."""
    beta2: Annotated[float, Meta(ge=0.5, le=0.999999)] = 0.999
    """Decay of Adam's average of squared gradients."""
    initialization: Initialization
    """How parameters are drawn; see nets.initialize."""
    precision: Literal["float32", "bfloat16"]
    """Of activations but latents; bfloat16 only where the hardware has it, parameters float32."""
    recentre: bool = False
    """Whether a VAE's latents are shifted and scaled in the end for the least KL; see recentre."""

    def for_images(self, count: int) -> Recipe:
        """The recipe of a training on so many images."""
        least = math.ceil((self.least_images or 0) / count)
        return msgspec.structs.replace(self, epochs=max(self.epochs, least), least_images=None)

    def peak(self, model: ModelSettings) -> float:
        """The constant learning rate of a model, or the peak of its schedule."""
        own = self.learning_rate_2d if model.latent_dim <= 2 else None
        return (own or self.learning_rate) * model.learning_rate_scale

    def batch(self, epoch: int) -> int:
        """Images a step in an epoch, counted from 1."""
        progress = (epoch - 1) / max(self.epochs - 1, 1)
        last = self.last_batch_size or self.batch_size
        return round(self.batch_size + (last - self.batch_size) * progress)

    def rate(self, progress: float) -> float:
        """Fraction of the peak when that fraction of the training is done, both 0 to 1."""
        if self.schedule == "constant":
            return 1.0
        if progress < self.warmup:
            return progress / self.warmup
        return (1 - progress) / (1 - self.warmup)

    def rates(self, epoch: int, steps: int) -> list[float]:
        """Fractions of the peak for each step of an epoch, which is counted from 1."""
        # Half a step on, because a triangle's ends are 0.
        done = [epoch - 1 + (step + 0.5) / steps for step in range(steps)]
        return [self.rate(epochs / self.epochs) for epochs in done]
