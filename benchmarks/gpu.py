"""Measure the project on a CUDA card: one table, a row at a time, kept as it grows.

Usage: python benchmarks/gpu.py [--tiny] [--rows NAME ...] [--output PATH]. Needs data/; where
it is missing it is made from MNIST_VAE_SOURCE. Needs neither DVC nor a network, and leaves out the
t-SNE where openTSNE is missing. Writes reports/gpu.json after each row; --rows measures some and
leaves the others there. --tiny tries all of it on a few images, on a CPU too, to see that it works:
its numbers mean nothing.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import yaml
from copies import python, shrink
from machine import floors, spread, timed
from msgspec.structs import replace
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from trainings import train, with_seed

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.images import IMAGES
from mnist_vae.latents.codes import decode, encode
from mnist_vae.nets import devices, fast, weights
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import read_params
from mnist_vae.train import autoencode, graph, loop
from mnist_vae.train.autoencode import Autoencode
from mnist_vae.train.optimizer import Optimizer
from mnist_vae.train.recipe import Recipe

MODELS = ("vae16", "vae2", "sigma16")
SEEDS = range(3)
WORKERS = 8
TESTS = ("tests/nets/test_devices.py", "tests/stages/test_faults.py", "tests/train/test_graph.py")
STAGES = (
    *("classify", "train", "encode", "embed", "evaluate", "priors", "real", "sample", "made"),
    *("results", "draw", "explore", "report"),
)
OF_ALL_MODELS = ("classify", "real", "explore", "report")
NEED_MAPS = ("embed", "draw", "explore", "report")


class Card:
    """What the rows are measured on: a project, the device, and how much is done."""

    def __init__(self, project: Path, tiny: bool) -> None:
        self.project, self.tiny = project, tiny
        self.device = devices.pick()
        arrays, _ = IMAGES.read(project / "data/train.safetensors", split="train")
        self.images = devices.to_device(arrays["images"], self.device)
        test, _ = IMAGES.read(project / "data/test.safetensors", split="test")
        self.test_images = test["images"]

    def params(self, *wanted: tuple[str, Any]) -> tuple[Any, ...]:
        """Sections of the project's params."""
        return read_params(*wanted, path=self.project / "params.yaml")

    def wait(self) -> None:
        """Let the device finish."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()


# --- Rows -----------------------------------------------------------------------------------------


def machine(card: Card) -> dict[str, Any]:
    """What the card is, and what it can do."""
    found: dict[str, Any] = {
        "device": devices.describe(card.device),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }
    if card.device.type == "cuda":
        found["cudnn"] = torch.backends.cudnn.version()
    return found | floors(card.device, 128 if card.tiny else 8192)


def tests(card: Card) -> dict[str, Any]:
    """The tests that need a card."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-rs", *TESTS]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        print(ended.stdout[-6000:], ended.stderr[-2000:], flush=True)
    return {"code": ended.returncode, "last_line": ended.stdout.strip().splitlines()[-1]}


def notebook(card: Card) -> dict[str, Any]:
    """Epochs of the notebook's own loop."""
    printed = python(card.project, str(ROOT / "benchmarks" / "notebook.py"))
    return {"epoch_seconds": spread(json.loads(printed.splitlines()[-1]))}


def trainings(card: Card) -> dict[str, Any]:
    """`python stages/train.py MODEL` as a whole process, by seed; the first seed twice."""
    table = {}
    for name in MODELS[:1] if card.tiny else MODELS:
        seeds = SEEDS[:1] if card.tiny else SEEDS
        runs = [train(card.project, name, with_seed(name, seed)) for seed in (*seeds, seeds[0])]
        table[name] = {
            "seconds": spread([run.seconds for run in runs]),
            "final_training_loss": spread([run.final_training_loss for run in runs[:-1]]),
            "test_squared_error": spread([run.test_squared_error for run in runs[:-1]]),
            "same_bytes_again": weights.digest(runs[0].network) == weights.digest(runs[-1].network),
        }
    return table


def notebook_recipe(card: Card) -> dict[str, Any]:
    """The notebook's recipe in the project's code, to its end, imports not counted; one seed."""
    settings, recipe = card.params(("models.vae16", ModelSettings), ("recipes.notebook", Recipe))
    table = {}
    for precision in ("bfloat16", "float32"):
        recipe = replace(recipe, epochs=2 if card.tiny else recipe.epochs, precision=precision)
        network = build(settings)
        card.wait()
        start = time.perf_counter()
        *_, last = autoencode.train(network, settings, recipe, card.images, seed=0)
        table[precision] = {
            "epochs": recipe.epochs,
            "seconds": time.perf_counter() - start,
            "final_training_loss": last.means["loss"],
            "kl": last.means["kl"],
            "test_squared_error": test_error(card, network),
        }
        print(table, flush=True)
    return table


def test_error(card: Card, network: VAE) -> float:
    """Squared error per test image from the posterior means."""
    pixels = torch.from_numpy(card.test_images).to(card.device) / 255
    with torch.inference_mode():
        decoded = network.decode(network.encode(pixels)[0])
    return float((decoded - pixels).square().sum((1, 2, 3)).mean())


def steps(card: Card) -> dict[str, Any]:
    """A step by batch size and precision: its time, its kernels, and how busy the card is."""
    settings, recipe = card.params(("models.vae16", ModelSettings), ("recipes.fast", Recipe))
    return {
        f"{size}, {precision}": step(card, settings, replace(recipe, precision=precision), size)
        for precision in ("float32", "bfloat16")
        for size in ((16,) if card.tiny else (128, 512))
    }


def step(card: Card, settings: ModelSettings, recipe: Recipe, size: int) -> dict[str, Any]:
    """A step of one recipe, as a graph and plain, on batches that take turns."""
    network = build(settings).to(card.device).train()
    dtype = loop.pick_dtype(recipe, card.device)
    optimizer = Optimizer(network, dtype, beta2=recipe.beta2, muon=recipe.optimizer == "muon")
    fast.put_in(network, image_size=network.image_size, dtype=dtype)
    task = Autoencode(network, settings, (card.images,))
    sums = torch.zeros(len(task.terms), dtype=torch.float64, device=card.device)
    plain = loop.step_of(task, optimizer, sums)
    rate = torch.tensor(1e-4, device=card.device)
    noise = torch.randn(size, settings.latent_dim).to(card.device)
    batches = itertools.cycle([(rate, images, noise) for images in card.images.split(size)[:50]])
    forms = {"plain": plain}
    if card.device.type == "cuda":
        forms["graph"] = graph.Graphed(plain)
    row: dict[str, Any] = {}
    for name, take in forms.items():

        def several(count: int = 20, take: graph.Step = take) -> None:
            for batch in itertools.islice(batches, count):
                take(*batch)
            card.wait()

        row[f"{name}_milliseconds"] = 1000 * statistics.median(timed(several, 15)) / 20
        if card.device.type == "cuda":
            row |= {f"{name}_{key}": value for key, value in kernels(several).items()}
    return row | least(card, settings, size)


def kernels(several: Callable[[int], None], count: int = 20) -> dict[str, float]:
    """How many kernels a step has, and how long they run; prints the longest."""
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiled:
        several(count)
    events = [event for event in profiled.events() if event.device_type.name == "CUDA"]
    times: dict[str, list[float]] = {}
    for event in events:
        times.setdefault(event.name, []).append(event.device_time)
    for name, each in sorted(times.items(), key=lambda item: -sum(item[1]))[:25]:
        print(f"{sum(each) / count:8.1f} us {len(each) / count:6.1f} x {name[:110]}", flush=True)
    busy = sum(sum(each) for each in times.values())
    return {"kernels": len(events) / count, "kernel_milliseconds": busy / count / 1000}


def least(card: Card, settings: ModelSettings, size: int) -> dict[str, float]:
    """Operations of a step, and the bytes that it cannot but move in float32.

    Each layer multiplies three times: forward, and for the gradients of weights and of what it was
    given. The bytes are those of the images, of each layer's output and its gradient, written and
    read once, and of parameters, gradients and Adam's averages, read and written once.
    """
    network = build(settings).to(card.device)
    operations, moved = [], []

    def count(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(layer.weight, Tensor)
        maps = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        operations.append(3 * 2 * layer.weight.numel() * maps[:, 0].numel())
        moved.append(4 * output.nbytes)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            module.register_forward_hook(count)
    with torch.inference_mode():
        noise = torch.zeros(size, settings.latent_dim, device=card.device)
        network(card.images[:size] / 255, noise)
    parameters = sum(p.nbytes for p in network.parameters())
    moved += [8 * parameters, card.images[:size].nbytes]
    return {"gflop": sum(operations) / 1e9, "megabytes": sum(moved) / 1e6}


def codes(card: Card) -> dict[str, Any]:
    """Encoding and decoding of the test images, after a first time."""
    (settings,) = card.params(("models.vae16", ModelSettings))
    network = build(settings)
    fast.place(network, card.device, image_size=network.image_size)
    latents = encode(network, card.test_images).mean
    return {
        "images": len(card.test_images),
        "encode_seconds": spread(timed(lambda: encode(network, card.test_images))),
        "decode_seconds": spread(timed(lambda: decode(network, latents))),
    }


def pipeline(card: Card) -> dict[str, Any]:
    """All stages one after the other, for all models, each as a process."""
    tree = yaml.safe_load((card.project / "params.yaml").read_text())
    models = list(tree["models"])[: 1 if card.tiny else None]
    if card.tiny:
        models = ["vae2"]
    embeds = importlib.util.find_spec("openTSNE") is not None
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = ("src", "stages", "studies", "versions", "dvc.yaml", "pyproject.toml", "data")
        for part in parts:
            (folder / part).symlink_to(card.project / part)
        tree["models"] = {model: tree["models"][model] for model in models}
        tree["made"] = {model: n for model, n in tree["made"].items() if model in models}
        (folder / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
        for stage in STAGES:
            if stage in NEED_MAPS and not embeds:
                continue
            start = time.perf_counter()
            of_some = tree["made"] if stage == "made" else models
            for model in [None] if stage in OF_ALL_MODELS else of_some:
                python(folder, f"stages/{stage}.py", *([model] if model else []))
            seconds[stage] = time.perf_counter() - start
            print(f"{stage}: {seconds[stage]:.1f} s", flush=True)
    return {"models": len(models), "seconds": seconds, "all_seconds": sum(seconds.values())}


def several(card: Card) -> dict[str, Any]:
    """Trainings of one model, each a process, several at once on the card."""
    name, count = ("vae2", 2) if card.tiny else ("vae16", 30)

    def one(seed: int) -> float:
        return train(card.project, name, with_seed(name, seed)).test_squared_error

    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        errors = list(pool.map(one, range(count)))
    minutes = (time.perf_counter() - start) / 60
    return {
        "trainings": count,
        "at_once": WORKERS,
        "a_minute": count / minutes,
        "test_squared_error": spread(errors),
    }


ROWS: dict[str, Callable[[Card], dict[str, Any]]] = {
    row.__name__: row
    for row in (
        machine,
        tests,
        steps,
        trainings,
        codes,
        notebook,
        notebook_recipe,
        several,
        pipeline,
    )
}


def measure(card: Card, rows: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows, one by one; what fails says so and lets the others be measured."""
    for name in rows:
        start = time.perf_counter()
        try:
            values = ROWS[name](card)
        except Exception as error:
            values = {"failed": f"{type(error).__name__}: {error}"}
        yield name, values
        print(f"{name}: {time.perf_counter() - start:.1f} s, {json.dumps(values)}", flush=True)


def main() -> None:
    process.tune_for_training()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="try all of it on a few images")
    parser.add_argument("--rows", nargs="+", choices=ROWS, help="these alone")
    parser.add_argument("--output", type=Path, help="the file to write")
    options = parser.parse_args()
    output = options.output or (None if options.tiny else ROOT / "reports" / "gpu.json")
    if not (ROOT / "data/train.safetensors").exists():
        python(ROOT, "stages/download.py")
    with tempfile.TemporaryDirectory() as folder:
        project = ROOT
        if options.tiny:
            project = Path(folder)
            shrink(ROOT, project)
        table: dict[str, Any] = {}
        if options.rows and output and output.exists():
            table = store.read_json(output)
        for name, values in measure(Card(project, options.tiny), options.rows or list(ROWS)):
            table[name] = values
            if output:
                store.write_json(output, table)


if __name__ == "__main__":
    run(main)
