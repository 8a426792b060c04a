"""Time the project against the notebook's own loop, on this machine, in one run.

Usage: python benchmarks/bench.py [--seeds N | --epoch WHICH]. Needs data/mnist and
models/vae16.safetensors, which `make reproduce` leaves, and writes reports/benchmark.json. The
notebook's loop runs for one epoch a round, which all cost the same, and is extrapolated to its 300.
What is compared takes turns, because machines are shared: a slow minute then slows both.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
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
from typing import NamedTuple

import mnist_vae  # noqa: F401, before torch: it sets how threads wait

# isort: split
import numpy as np
import torch
import yaml
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.latents import maps, views
from mnist_vae.nets import devices, weights
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.train import loop, objective

ROOT = Path(__file__).resolve().parent.parent
TRAIN, TEST = Path("data/mnist/train.safetensors"), Path("data/mnist/test.safetensors")
NOTEBOOK_EPOCHS = 300
# A process starts with its parent's peak memory as its own: so a small one starts the training.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


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


def notebook_epoch() -> float:
    """Seconds of an epoch of the notebook's loop: DataLoader, float32, .item() every step."""
    where = devices.pick()
    train, _ = store.read_arrays(TRAIN, "images", "images")
    loader = DataLoader(Images(train["images"]), batch_size=512, shuffle=True, num_workers=8)
    network = Notebook(16).to(where)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)

    def step(x: torch.Tensor) -> float:
        pixels, mean, logvar = network(x)
        kl = -0.5 * torch.mean(1 + logvar - mean.pow(2) - logvar.exp())
        loss = F.mse_loss(pixels, x, reduction="sum") + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    step(torch.zeros(512, 1, 28, 28, device=where))  # what it imports is no part of an epoch
    start = time.perf_counter()
    for batch in loader:
        step(batch.to(where))
    return time.perf_counter() - start


def recipe_epoch(precision: str) -> float:
    """Seconds of an epoch of the notebook's recipe in the project's own code."""
    devices.tune_for_training()
    where = devices.pick()
    if precision == "bfloat16" and not devices.has_bfloat16(where):
        raise InputError("--epoch: found bfloat16, which this machine computes in float32")
    train, _ = store.read_arrays(TRAIN, "images", "images")
    settings, recipe = params.load(
        ("models.vae16", ModelSettings), ("recipes.notebook", loop.Recipe)
    )
    few = dataclasses.replace(recipe, epochs=2, precision=precision)
    images = devices.to_device(train["images"], where)[:, None]
    epochs = loop.train(build(settings), settings, few, images, seed=0)
    first, second = (time.perf_counter() for _ in epochs)  # the first one warms up
    return second - first


def epoch_process(which: str) -> float:
    """Seconds of an epoch of the notebook's loop, or of its recipe here in a precision.

    In its own process, as trainings are; the notebook's threads wait as GNU's OpenMP lets them.
    """
    command = (sys.executable, __file__, "--epoch", which)
    env = {**os.environ, "GOMP_SPINCOUNT": "300000"} if which == "notebook" else None
    process = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if process.returncode:
        sys.exit(process.returncode)
    return float(process.stdout.splitlines()[-1])


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


class Training(NamedTuple):
    """What one `python stages/train.py` took and gave."""

    seconds: float
    """Of the whole process, imports included."""
    final_training_loss: float
    test_squared_error: float
    """Of the decoded posterior means, per image."""
    peak_gib: float


def train_process(name: str, seed: int, test: np.ndarray) -> Training:
    """Train a model by the recipe of params.yaml and measure it on the test images."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        shutil.copytree(ROOT / "stages", copy / "stages")
        (copy / "data").symlink_to(ROOT / "data")
        tree = yaml.safe_load((ROOT / "params.yaml").read_text())
        tree["seed"] = seed
        (copy / "params.yaml").write_text(yaml.safe_dump(tree))
        start = time.perf_counter()
        command = (sys.executable, "-c", MEASURE, sys.executable, "stages/train.py", name)
        process = subprocess.run(command, cwd=copy, stderr=subprocess.PIPE, text=True, check=False)
        seconds = time.perf_counter() - start
        if process.returncode:
            sys.exit(f"bench.py: error: training {name} failed: {process.stderr}")
        peak = int(process.stderr.splitlines()[-1]) / 2**20
        curve = store.read_table(copy / f"reports/curves/{name}.csv", "loss")
        vae, _, _ = weights.load(copy / f"models/{name}.safetensors", name)
    mean, _ = views.encode(vae, test)
    images = torch.from_numpy(test)[:, None] / 255
    with torch.inference_mode():
        error = objective.squared_error(images, vae.decode(torch.from_numpy(mean))).mean()
    return Training(seconds, float(curve["loss"][-1]), float(error), peak)


def summary(runs: list[Training], notebook: float) -> dict[str, object]:
    """Several trainings, and how often they fit into the notebook's seconds."""
    seconds, losses, tested, memory = (list(column) for column in zip(*runs, strict=True))
    return {
        "seconds": spread(seconds),
        "final_training_loss": spread(losses),
        "test_squared_error": spread(tested),
        "times_faster": notebook / statistics.fmean(seconds),
        "peak_gib": max(memory),
    }


def floors(where: torch.device) -> dict[str, float]:
    """How fast this machine multiplies large matrices and copies memory, to measure against."""

    def best(call: Callable[[], object]) -> float:
        def wait() -> None:
            call()
            if where.type == "cuda":
                torch.cuda.synchronize()

        return min(timed(wait))

    found = {}
    for dtype in (torch.float32, *((torch.bfloat16,) if devices.has_bfloat16(where) else ())):
        a = torch.randn(2048, 2048, dtype=dtype, device=where)
        name = str(dtype).removeprefix("torch.")
        found[f"gflops_{name}"] = 2 * 2048**3 / best(functools.partial(torch.mm, a, a)) / 1e9
    source = torch.zeros(2**26, device=where)
    target = torch.empty_like(source)
    seconds = best(lambda: target.copy_(source))
    found["copy_gb_per_second"] = 2 * source.nbytes / seconds / 1e9
    return found


def tsne(mean: np.ndarray) -> dict[str, object]:
    """Ours and scikit-learn's map of the same latents [N, D]: seconds and quality."""
    from openTSNE.affinity import PerplexityBasedNN
    from sklearn.manifold import TSNE, trustworthiness
    from sklearn.neighbors import NearestNeighbors

    (embed,) = params.load(("embed", maps.EmbedSettings))
    start = time.perf_counter()
    ours, _ = maps.tsne(mean, mean[:10], embed, 0)
    middle = time.perf_counter()
    theirs = TSNE(perplexity=embed.perplexity, init="pca", random_state=0).fit_transform(mean)
    end = time.perf_counter()

    affinity = PerplexityBasedNN(mean, perplexity=embed.perplexity, method="exact").P.tocoo()
    p = affinity.data / affinity.data.sum()

    def neighbours(points: np.ndarray) -> np.ndarray:
        return NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)

    def quality(points: np.ndarray) -> dict[str, float]:
        wide = points.astype(np.float64)
        total = sum(
            (1 / (1 + np.square(part[:, None] - wide).sum(2))).sum()
            for part in np.array_split(wide, max(1, len(wide) // 500))
        ) - len(wide)
        near = np.square(wide[affinity.row] - wide[affinity.col]).sum(1)
        kept = [np.isin(a, b).mean() for a, b in zip(high, neighbours(points), strict=True)]
        return {
            "exact_kl": float((p * np.log(p * total * (1 + near))).sum()),
            "neighbours_kept": float(np.mean(kept)),
            "trustworthiness": float(trustworthiness(mean, points, n_neighbors=10)),
        }

    high = neighbours(mean)
    return {
        "ours": {"seconds": middle - start, **quality(ours)},
        "sklearn": {"seconds": end - middle, **quality(theirs)},
        "times_faster": (end - middle) / (middle - start),
    }


def repro(models: tuple[str, ...] = ("vae16", "vae2"), repeat: int = 10) -> dict[str, object]:
    """Seconds of `dvc repro` from downloaded data with two models, and with nothing to do.

    The latter beside DVC's own time for as many stages that only make a file.
    """

    def dvc(folder: str, *command: str) -> float:
        start = time.perf_counter()
        subprocess.run(("dvc", *command), cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    with tempfile.TemporaryDirectory() as mine, tempfile.TemporaryDirectory() as empty:
        for name in ("dvc.yaml", "requirements.txt", "src", "stages", "data/mnist"):
            source, target = ROOT / name, Path(mine) / name
            target.parent.mkdir(exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        tree = yaml.safe_load((ROOT / "params.yaml").read_text())
        tree["models"] = {name: tree["models"][name] for name in models}
        (Path(mine) / "params.yaml").write_text(yaml.safe_dump(tree))
        for folder in (mine, empty):
            dvc(folder, "init", "--no-scm", "--quiet")
        dvc(mine, "commit", "--quiet", "--force", "download")
        whole = dvc(mine, "repro")
        stages = len(yaml.safe_load((Path(mine) / "dvc.lock").read_text())["stages"])
        made = {f"s{i}": {"cmd": f"touch {i}", "outs": [str(i)]} for i in range(stages)}
        (Path(empty) / "dvc.yaml").write_text(yaml.safe_dump({"stages": made}))
        dvc(empty, "repro")
        turns = [(dvc(mine, "repro"), dvc(empty, "repro")) for _ in range(repeat)]
        nothing, floor = (list(column) for column in zip(*turns, strict=True))
    return {
        "models": list(models),
        "stages": stages,
        "seconds": whole,
        "nothing_to_do_seconds": spread(nothing),
        "as_many_empty_stages_seconds": spread(floor),
        "nothing_to_do_ratio": statistics.fmean(nothing) / statistics.fmean(floor),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="rounds, each with its own seed")
    one = ("notebook", "float32", "bfloat16")
    told = "print the seconds of an epoch of the notebook's loop, or of its recipe in a precision"
    parser.add_argument("--epoch", choices=one, help=told)
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds: found {options.seeds}, must be at least 1")
    os.chdir(ROOT)
    if options.epoch:
        print(notebook_epoch() if options.epoch == "notebook" else recipe_epoch(options.epoch))
        return
    where = devices.pick()
    test, _ = store.read_arrays(TEST, "images", "images")
    vae, _, _ = weights.load(Path("models/vae16.safetensors"), "vae16")
    vae.to(where)

    loop: list[float] = []
    trainings: dict[str, list[Training]] = {"vae16": [], "vae2": []}
    precisions = ("float32", "bfloat16") if devices.has_bfloat16(where) else ("float32",)
    own: dict[str, list[float]] = {precision: [] for precision in precisions}
    for seed in range(options.seeds):
        loop.append(epoch_process("notebook"))
        for name, runs in trainings.items():
            runs.append(train_process(name, seed, test["images"]))
        for precision, seconds in own.items():
            seconds.append(epoch_process(precision))
    epoch = statistics.fmean(loop)
    notebook = NOTEBOOK_EPOCHS * epoch
    found: dict[str, object] = {
        "machine": {
            "device": devices.describe(where),
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            **floors(where),
        },
        "notebook_epoch_seconds": spread(loop),
        "notebook_300_epochs_seconds": notebook,
    }
    found |= {name: summary(runs, notebook) for name, runs in trainings.items()}
    for precision, seconds in own.items():
        times = epoch / statistics.fmean(seconds)
        found[f"notebook_recipe_{precision}"] = {"seconds": spread(seconds), "times_faster": times}

    found["encode_10000_seconds"] = spread(timed(lambda: views.encode(vae, test["images"])))
    mean, _ = views.encode(vae, test["images"])
    if importlib.util.find_spec("openTSNE"):
        found["tsne"] = tsne(mean)
    if shutil.which("dvc"):
        found["repro"] = repro()
    found["peak_gib_of_benchmark"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    store.write_json(Path("reports/benchmark.json"), found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"bench.py: error: {error}")
