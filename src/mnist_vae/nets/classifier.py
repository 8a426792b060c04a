"""The digit classifier: eyes for what a model decodes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.nets.devices import BATCH


class Classifier(nn.Module):
    """Three convolutions of stride 2 (the last one over the whole image), then one linear layer."""

    def __init__(
        self, *, image_size: int = 28, widths: tuple[int, int, int] = (16, 32, 128)
    ) -> None:
        super().__init__()
        self.image_size = image_size
        a, b, c = widths
        self.body = nn.Sequential(  # [B, 1, 28, 28]
            nn.Conv2d(1, a, 3, stride=2, padding=1),  # [B, 16, 14, 14]
            nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),  # [B, 32, 7, 7]
            nn.ReLU(),
            nn.Conv2d(b, c, image_size // 4),  # [B, 128, 1, 1]
            nn.ReLU(),
            nn.Flatten(),  # [B, 128]
        )
        self.head = nn.Linear(c, 10)

    def features(self, images: Tensor) -> Tensor:
        """The layer before the last, [B, 128], of images [B, 1, H, W] in [0, 1]."""
        weight = next(self.body.parameters())
        return self.body(images.to(weight.dtype)).to(self.head.weight.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, 10] of images [B, 1, H, W] in [0, 1]."""
        return self.head(self.features(images))


class Classified(NamedTuple):
    """What the classifier makes of images."""

    features: np.ndarray
    """float32 [N, F], the layer before the last."""
    digits: np.ndarray
    """int64 [N], the likeliest digit."""
    confidence: np.ndarray
    """float32 [N], its probability."""


@torch.inference_mode()
def classify(network: Classifier, images: np.ndarray) -> Classified:
    """Features, digits and confidence of images [N, H, W], uint8 or float in [0, 1]."""
    device = network.head.weight.device
    scale = 255 if images.dtype == np.uint8 else 1
    features, logits = [], []
    for batch in torch.from_numpy(images)[:, None].split(BATCH):
        last = network.features(batch.to(device).float() / scale)
        features.append(last.cpu().numpy())
        logits.append(network.head(last).cpu())
    confidence, digits = torch.cat(logits).softmax(1).max(1)
    return Classified(np.concatenate(features), digits.numpy(), confidence.numpy())
