"""Training of the classifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Annotated

import torch
from msgspec import Meta
from torch import Tensor
from torch.nn import functional as F

from mnist_vae import seeds
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.initialize import he, layers_of
from mnist_vae.settings import Settings
from mnist_vae.train import loop
from mnist_vae.train.recipe import Recipe

SHIFT = 1  # pixels by which training moves images, at most: two need more epochs


class ClassifierSettings(Settings, frozen=True, kw_only=True):
    """How to train the classifier: ``classifier`` in params.yaml."""

    epochs: Annotated[int, Meta(ge=1, le=1000)]
    """Passes over the training images."""
    least_images: Annotated[int, Meta(ge=1, le=10**9)] | None = None
    """Images that a training sees at least: where there are few, it has more epochs."""
    batch_size: Annotated[int, Meta(ge=1, le=10_000_000)]
    """Images a step; the last batch of an epoch holds what is left."""
    learning_rate: Annotated[float, Meta(gt=0, le=1)]
    """The learning rate at the peak of a triangular schedule."""

    @property
    def recipe(self) -> Recipe:
        """The recipe that these are settings of."""
        return Recipe(
            epochs=self.epochs,
            least_images=self.least_images,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="triangular",
            optimizer="muon",
            beta2=0.99,
            initialization="he",
            precision="bfloat16",
        )


@dataclasses.dataclass
class Classify:
    """A ``loop.Task``: to name the class."""

    network: Classifier
    examples: tuple[Tensor, Tensor]
    """Images uint8 [N, C, H, W] and labels [N]."""
    remedy = "lower classifier.learning_rate"

    @property
    def image_size(self) -> int:
        """Height and width."""
        return self.network.image_size

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss alone."""
        return ("loss",)

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor]:
        """Pixels to move down and right, [count, 2]; a batch moves as its first row says."""
        return (torch.randint(-SHIFT, SHIFT + 1, (count, 2), generator=generator),)

    def losses(self, *batch: Tensor) -> tuple[Tensor]:
        """The cross-entropy in nats.

        A batch is moved as a whole and round the edge, so that no class is learned by its place.
        """
        images, labels, shifts = batch
        for dim, shift in ((2, shifts[0, 0]), (3, shifts[0, 1])):
            places = torch.arange(self.image_size, device=images.device) - shift
            images = images.index_select(dim, places % self.image_size)
        logits = self.network(images / 255)
        return (F.cross_entropy(logits, labels.long(), reduction="none"),)


def train(
    network: Classifier, settings: ClassifierSettings, images: Tensor, labels: Tensor, *, seed: int
) -> Iterator[loop.Epoch]:
    """Initialize and train the classifier in place; see ``loop.train``.

    ``images`` are uint8 [N, C, H, W] and ``labels`` [N], both on the device to train on. An epoch's
    means have the cross-entropy in nats as their ``loss``.
    """
    generator = torch.Generator().manual_seed(seeds.number(seed, "initialize classifier"))
    with torch.no_grad():
        for layer in layers_of(network):
            he(layer, generator, gain=1 if layer is network.head else 2)
    recipe = settings.recipe.for_images(len(images))
    task = Classify(network.to(images.device), (images, labels))
    yield from loop.train(
        task, recipe, peak=settings.learning_rate, seed=seeds.number(seed, "classifier")
    )
