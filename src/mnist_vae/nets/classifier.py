"""The classifier: eyes for what a model decodes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.errors import InputError
from mnist_vae.nets import devices, pyramid


class Classifier(nn.Module):
    """Convolutions of stride 2, one over the grid that they leave, and one linear layer.

    ``widths`` are the channels after each convolution, by default 16, twice as many after each
    stride, and 128. Raises ValueError for sizes as the VAE does.
    """

    def __init__(
        self,
        classes: int = 10,
        *,
        image_size: int = 28,
        channels: int = 1,
        widths: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.image_size, self.channels = classes, image_size, channels
        if widths is None:
            widths = pyramid.widths(image_size, last=128)
        pyramid.check_widths(image_size, widths)
        *strided, c = widths  # 16 and 32, and 128
        down: list[nn.Module] = []  # [B, 1, 28, 28]
        for inputs, outputs in pairwise((channels, *strided)):
            down += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
            # [B, 16, 14, 14], then [B, 32, 7, 7]
        self.body = nn.Sequential(
            *down,
            nn.Conv2d(strided[-1], c, pyramid.sizes(image_size)[-1]),  # [B, 128, 1, 1]
            nn.ReLU(),
            nn.Flatten(),  # [B, 128]
        )
        self.head = nn.Linear(c, classes)

    def features(self, images: Tensor) -> Tensor:
        """The layer before the last, [B, 128], of images [B, C, H, W] in [0, 1]."""
        weight = next(self.body.parameters())
        return self.body(images.to(weight.dtype)).to(self.head.weight.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, classes] of images [B, C, H, W] in [0, 1]."""
        return self.head(self.features(images))


class Classified(NamedTuple):
    """What the classifier makes of images."""

    features: np.ndarray
    """float32 [N, F], the layer before the last."""
    labels: np.ndarray
    """int64 [N], the likeliest class."""
    confidence: np.ndarray
    """float32 [N], its probability."""


@torch.inference_mode()
def classify(network: Classifier, images: np.ndarray) -> Classified:
    """Features, classes and confidence of images [N, C, H, W], uint8 or float in [0, 1].

    Raises InputError for a network that gives probabilities which are no numbers.
    """
    device = network.head.weight.device
    scale = 255 if images.dtype == np.uint8 else 1
    features, logits = [], []
    for batch in torch.from_numpy(images).split(devices.batch_size(device, network.image_size)):
        last = network.features(batch.to(device).float() / scale)
        features.append(last.cpu().numpy())
        logits.append(network.head(last).cpu())
    confidence, labels = torch.cat(logits).softmax(1).max(1)
    if confidence.isnan().any():
        raise InputError(
            "the classifier gives probabilities that are no numbers, as after a training that "
            "diverged: train it with a smaller classifier.learning_rate"
        )
    return Classified(np.concatenate(features), labels.numpy(), confidence.numpy())
