"""The notebook's loop: three epochs; prints the seconds of the second and the third as JSON.

Usage: python benchmarks/notebook.py, in a project's top folder. The first epoch is not timed: it
loads libraries and touches memory for the first time. A DataLoader with 8 workers, float32,
``.item()`` at every step; the network is the package's, in its plain layers.
"""

from __future__ import annotations

from beside import run

import itertools
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from mnist_vae.files.images import IMAGES
from mnist_vae.nets import devices
from mnist_vae.nets.vae import VAE

LATENT_DIM, BATCH_SIZE, WORKERS, LEARNING_RATE = 16, 512, 8, 0.001


class Images(Dataset[Tensor]):
    """Images one by one as float tensors, which is less work than the notebook's ToTensor."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        """One image, float32 [C, H, W] in [0, 1]."""
        return torch.from_numpy(self.images[index]).to(torch.float32).div(255)


def main() -> None:
    device = devices.pick()
    arrays, _ = IMAGES.read(Path("data/train.safetensors"), split="train")
    loader = DataLoader(
        Images(arrays["images"]), batch_size=BATCH_SIZE, shuffle=True, num_workers=WORKERS
    )
    size, channels = arrays["images"].shape[-1], arrays["images"].shape[1]
    network = VAE(LATENT_DIM, image_size=size, channels=channels).to(device)  # PyTorch's start
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)

    def step(images: Tensor) -> float:
        noise = torch.randn(len(images), LATENT_DIM, device=device)
        logits, mean, logvar = network(images, noise)
        kl = -0.5 * torch.mean(1 + logvar - mean.pow(2) - logvar.exp())
        loss = F.mse_loss(logits.sigmoid(), images, reduction="sum") + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    ends = []
    for _ in range(3):
        for images in loader:
            step(images.to(device))
        ends.append(time.perf_counter())
    print(json.dumps([end - start for start, end in itertools.pairwise(ends)]))


if __name__ == "__main__":
    run(main)
