"""A digit classifier: eyes for what a model decodes, trained once and shared by all models."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import devices
from mnist_vae.nets.fast import GridConv2d, ImageConv2d, StridedConv2d
from mnist_vae.params import Range
from mnist_vae.train.optimizer import Optimizer

BATCH = 250  # images at a time when nothing is learned: few enough for a processor's cache
SHIFT = 1  # pixels by which training moves images, at most: two need more epochs
WARMUP = 0.2  # part of the steps in which the learning rate goes up


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """How to train the classifier: ``classifier`` in params.yaml."""

    epochs: Annotated[int, Range(1, 1000)]
    """Passes over the training images."""
    batch_size: Annotated[int, Range(1, 60_000)]
    """Images a step; the last batch of an epoch holds what is left."""
    learning_rate: Annotated[float, Range(0, 1, above=True)]
    """The learning rate at the peak of a triangular schedule."""


class Classified(NamedTuple):
    """What the classifier makes of images."""

    features: np.ndarray
    """float32 [N, F], the layer before the last."""
    digits: np.ndarray
    """int64 [N], the likeliest digit."""


class Classifier(nn.Module):
    """Three convolutions of stride 2 (the last one over the whole image), then one linear layer."""

    def __init__(
        self, *, image_size: int = 28, widths: tuple[int, int, int] = (16, 32, 128)
    ) -> None:
        super().__init__()
        a, b, c = widths
        self.body = nn.Sequential(
            ImageConv2d(1, a, relu=True),
            StridedConv2d(a, b, relu=True),
            GridConv2d(b, c, image_size // 4),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(c, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, 10] of images [B, 1, H, W] in [0, 1]."""
        return self.head(self.body(images))


def train(
    network: Classifier, settings: ClassifierSettings, images: Tensor, labels: Tensor, *, seed: int
) -> Iterator[float]:
    """Train in place from a fresh initialization; yields each epoch's mean cross-entropy.

    ``images`` are uint8 [N, 1, H, W] and ``labels`` [N], both on the device to train on. Every
    batch is shifted as a whole by up to one pixel each way, so that no digit is learned by its
    place. All randomness is drawn on the CPU from the seed. Raises InputError when the loss is no
    longer a number.
    """
    generator = torch.Generator().manual_seed(seed)
    _initialize(network, generator)
    dtype = torch.bfloat16 if devices.has_bfloat16(images.device) else torch.float32
    optimizer = Optimizer(network.to(images.device).train(), dtype, beta2=0.99, muon=True)
    size = len(images)
    steps = settings.epochs * math.ceil(size / settings.batch_size)
    for epoch in range(1, settings.epochs + 1):
        order = torch.randperm(size, generator=generator).to(images.device)
        total = torch.zeros((), device=images.device)
        for chosen in order.split(settings.batch_size):
            down, right = torch.randint(-SHIFT, SHIFT + 1, (2,), generator=generator).tolist()
            batch = images[chosen].roll((down, right), (2, 3))
            optimizer.zero_grad()
            logits = network(batch.to(dtype) / 255)
            loss = F.cross_entropy(logits.float(), labels[chosen].long())
            loss.backward()
            done = (optimizer.steps + 1) / (steps + 1)
            rate = settings.learning_rate * min(done / WARMUP, (1 - done) / (1 - WARMUP))
            optimizer.step(rate)
            total += loss.detach() * len(chosen)
        mean = float(total) / size
        if not math.isfinite(mean):
            raise InputError(
                f"the classifier's loss became {mean} in epoch {epoch}: lower "
                "classifier.learning_rate; nothing was published"
            )
        yield mean
    optimizer.release()
    network.eval()


@torch.inference_mode()
def classify(network: Classifier, images: np.ndarray) -> Classified:
    """Features and digits of images [N, H, W], uint8 or float in [0, 1]."""
    where = network.head.weight.device
    scale = 255 if images.dtype == np.uint8 else 1
    features, digits = [], []
    for batch in torch.from_numpy(images)[:, None].split(BATCH):
        last = network.body(batch.to(where).float() / scale)
        features.append(last.cpu().numpy())
        digits.append(network.head(last).argmax(1).cpu().numpy())
    return Classified(np.concatenate(features), np.concatenate(digits))


def save(path: Path, network: Classifier, **about: Any) -> None:
    """Write the weights as safetensors, with facts about the training."""
    weights = {key: value.detach().cpu().numpy() for key, value in network.state_dict().items()}
    store.write_arrays(path, "classifier", weights, **about)


def load(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """The classifier that ``save`` wrote, and the facts about it.

    Raises InputError when the file is damaged or does not fit the network.
    """
    network = Classifier()
    expected = network.state_dict()
    weights, about = store.read_arrays(path, "classifier", *expected)
    for key, value in expected.items():
        if weights[key].shape != tuple(value.shape):
            raise InputError(
                f"{path}: weights do not fit the classifier: {key} is {weights[key].shape}, "
                f"must be {tuple(value.shape)}; delete it and run `dvc repro`"
            )
    network.load_state_dict({key: torch.from_numpy(weights[key]) for key in expected})
    return network.eval(), about


@torch.no_grad()
def _initialize(network: Classifier, generator: torch.Generator) -> None:
    """He et al. 2015 for the layers before a ReLU, gain 1 for the head; biases are 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            gain = 1 if layer is network.head else 2
            std = math.sqrt(gain / layer.weight[0].numel())
            layer.weight.normal_(std=std, generator=generator)
            assert layer.bias is not None
            layer.bias.zero_()
