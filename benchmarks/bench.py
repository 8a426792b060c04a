"""Time the project against the notebook's own loop, on this machine, in one run.

Usage: python benchmarks/bench.py [--seeds N] [--epochs N]. Needs data/mnist, which `make reproduce`
leaves, and writes reports/benchmark.json. The notebook's loop runs for a few epochs, which all cost
the same, and is extrapolated to its 300.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import mnist_vae  # noqa: F401, sets how threads wait before torch is loaded
from mnist_vae import artifacts, device, latent, model, params, projection, training

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK_EPOCHS = 300


class Notebook(nn.Module):
    """The notebook's network in the layers that it used."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 7), nn.ReLU(), nn.Flatten()),
        )
        self.mean, self.logvar = nn.Linear(64, latent_dim), nn.Linear(64, latent_dim)
        self.decoder = nn.Sequential(
            *(nn.Linear(latent_dim, 64), nn.ReLU(), nn.Unflatten(1, (64, 1, 1))),
            *(nn.ConvTranspose2d(64, 32, 7), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 16, 3, 2, 1, 1), nn.ReLU()),
            *(nn.ConvTranspose2d(16, 1, 3, 2, 1, 1), nn.Sigmoid()),
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pixels, posterior mean and log-variance."""
        h = self.encoder(x)
        mean, logvar = self.mean(h), self.logvar(h)
        z = mean + torch.randn_like(logvar) * torch.exp(0.5 * logvar)
        return self.decoder(z), mean, logvar


class Images(Dataset[torch.Tensor]):
    """Images one by one as float tensors, which is less work than the notebook's ToTensor."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        """One image, float32 [1, 28, 28] in [0, 1]."""
        return torch.from_numpy(self.images[index])[None].to(torch.float32).div(255)


def notebook_epochs(images: np.ndarray, epochs: int, where: torch.device) -> list[float]:
    """Seconds of each epoch of the notebook's loop: DataLoader, float32, .item() every step."""
    loader = DataLoader(Images(images), batch_size=512, shuffle=True, num_workers=8)
    network = Notebook(16).to(where)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    seconds, total = [], 0.0
    for _ in range(epochs):
        start = time.perf_counter()
        for batch in loader:
            x = batch.to(where)
            pixels, mean, logvar = network(x)
            kl = -0.5 * torch.mean(1 + logvar - mean.pow(2) - logvar.exp())
            loss = F.mse_loss(pixels, x, reduction="sum") + kl
            total += loss.item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds


def timed(call: Callable[[], object], repeat: int = 5) -> list[float]:
    """Seconds of each of ``repeat`` calls, after one that warms up."""
    call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Mean and standard deviation."""
    return {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
        "runs": len(values),
    }


def train_process(name: str, seed: int) -> tuple[float, float, float]:
    """Seconds of `python stages/train.py`, imports included; last training loss; peak GiB."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "stages", copy / "stages")
        (copy / "data").symlink_to(ROOT / "data")
        tree = yaml.safe_load((ROOT / "params.yaml").read_text())
        tree["seed"] = seed
        (copy / "params.yaml").write_text(yaml.safe_dump(tree))
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "stages/train.py", name], cwd=copy)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"bench.py: error: training {name} failed")
        curve = artifacts.read_table(copy / f"reports/curves/{name}.csv", "loss")
        return seconds, float(curve["loss"][-1]), usage.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of the notebook's loop")
    options = parser.parse_args()
    os.chdir(ROOT)
    where = device.pick()
    train, _ = artifacts.read_arrays(Path("data/mnist/train.safetensors"), "images", "images")
    test, _ = artifacts.read_arrays(Path("data/mnist/test.safetensors"), "images", "images")

    loop = notebook_epochs(train["images"], options.epochs, where)
    notebook = NOTEBOOK_EPOCHS * statistics.fmean(loop)
    found: dict[str, object] = {
        "machine": {
            "device": device.describe(where),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "notebook_epoch_seconds": spread(loop),
        "notebook_300_epochs_seconds": notebook,
    }
    for name in ("vae16", "vae2"):
        runs = [train_process(name, seed) for seed in range(options.seeds)]
        seconds, losses, memory = (list(column) for column in zip(*runs, strict=True))
        found[name] = {
            "seconds": spread(seconds),
            "final_training_loss": spread(losses),
            "times_faster": notebook / statistics.fmean(seconds),
            "peak_gib": max(memory),
        }

    settings, recipe = params.load(
        ("models.vae16", model.ModelParams), ("recipes.notebook", training.Recipe)
    )
    images = device.to_device(train["images"], where)[:, None]
    few = dataclasses.replace(recipe, epochs=3)
    epochs = training.train(model.build(settings), settings, few, images, seed=0)
    ends = [time.perf_counter() for _ in epochs]
    own = [end - start for start, end in itertools.pairwise(ends)]  # the first epoch warms up
    found["notebook_recipe_epoch_seconds"] = spread(own)
    found["notebook_recipe_times_faster"] = statistics.fmean(loop) / statistics.fmean(own)

    vae, _, _ = model.load(Path("models/vae16.safetensors"), "vae16")
    vae.to(where)
    found["encode_10000_seconds"] = spread(timed(lambda: latent.encode(vae, test["images"])))

    from sklearn.manifold import TSNE

    mean, _ = latent.encode(vae, test["images"])
    (embed,) = params.load(("embed", projection.EmbedParams))
    start = time.perf_counter()
    projection.tsne(mean, mean[:10], embed, 0)
    mine = time.perf_counter() - start
    start = time.perf_counter()
    TSNE(perplexity=embed.perplexity, init="pca", random_state=0).fit_transform(mean)
    theirs = time.perf_counter() - start
    found["tsne"] = {"seconds": mine, "sklearn_seconds": theirs, "times_faster": theirs / mine}
    found["peak_gib_of_benchmark"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    artifacts.write_json(Path("reports/benchmark.json"), found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
