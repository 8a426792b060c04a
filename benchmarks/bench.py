"""Time the project against the notebook's own loop, on this machine, in one run.

Usage: python benchmarks/bench.py [--seeds N] [--output PATH]. Needs data/, which
`make reproduce` leaves, and writes reports/benchmark.json. The notebook's loop runs for three
epochs a round, which all cost the same after the first, and is extrapolated to its 300. What is
compared takes turns, because machines are shared: a slow minute then slows both. Where other
processes were busy meanwhile, a row says so. --tiny tries all of it on a few images, to see that it
works: its numbers mean nothing, and it writes no file but --output.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from copies import python, shrink
from machine import Watch, floors, spread, timed
from trainings import Training, summary, train, with_seed

from mnist_vae.files import store
from mnist_vae.files.images import IMAGES
from mnist_vae.latents.codes import encode
from mnist_vae.latents.maps import EmbedSettings
from mnist_vae.nets import devices, fast
from mnist_vae.settings import read_params

MODELS = ("vae16", "vae2")
NOTEBOOK_EPOCHS = 300
# GNU's OpenMP lets threads wait like this unless told otherwise, and the notebook told it nothing.
AS_GNU = {"GOMP_SPINCOUNT": "300000"}


class Scale(NamedTuple):
    """How much is done."""

    seeds: int = 3
    """Rounds, each with its own seed."""
    side: int = 2048
    """Of the matrices that show what the machine can do."""
    points: int = 10_000
    """That t-SNE lays out."""
    repro: tuple[tuple[str, ...], tuple[str, ...], int] = (MODELS, (), 10)
    """Models, target stages and repetitions of `dvc repro`."""


TINY = Scale(seeds=1, side=128, points=100, repro=(("vae2",), ("train",), 1))


class Turns(NamedTuple):
    """What took turns, once or twice a round."""

    notebook: list[float]
    """Seconds of epochs of the notebook's loop."""
    trainings: dict[str, list[Training]]
    """By model."""
    recipe: dict[str, list[float]]
    """Seconds of epochs of the notebook's recipe in the project's code, by precision."""


def take_turns(project: Path, seeds: int, precisions: list[str], watch: Watch) -> Turns:
    """Run all that is compared to the notebook's loop, and the loop."""
    turns = Turns([], {name: [] for name in MODELS}, {name: [] for name in precisions})
    for seed in range(seeds):
        with watch.measuring("notebook_epoch_seconds"):
            turns.notebook.extend(epochs(project, "notebook.py", **AS_GNU))
        for name, runs in turns.trainings.items():
            with watch.measuring(name):
                runs.append(train(project, name, with_seed(name, seed)))
        for precision, seconds in turns.recipe.items():
            with watch.measuring(f"notebook_recipe_{precision}"):
                seconds.extend(epochs(project, "recipe.py", precision))
    return turns


def epochs(project: Path, script: str, *arguments: str, **env: str) -> list[float]:
    """Seconds of epochs, which a script prints: in its own process, as trainings are."""
    printed = python(project, str(ROOT / "benchmarks" / script), *arguments, **env)
    seconds: list[float] = json.loads(printed.splitlines()[-1])
    return seconds


def measure(project: Path, scale: Scale) -> dict[str, object]:
    """All rows of the table."""
    table: dict[str, object] = {}
    watch = Watch()

    def add(row: str, values: dict[str, Any]) -> None:
        table[row] = values | watch.marks(row)

    device = devices.pick()
    with watch.measuring("machine"):
        speeds = floors(device, scale.side)
    machine = {
        "device": devices.describe(device),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    add("machine", machine | speeds)

    precisions = ["float32", "bfloat16"] if devices.has_bfloat16(device) else ["float32"]
    turns = take_turns(project, scale.seeds, precisions, watch)
    epoch = statistics.fmean(turns.notebook)
    add("notebook_epoch_seconds", spread(turns.notebook))
    table[f"notebook_{NOTEBOOK_EPOCHS}_epochs_seconds"] = NOTEBOOK_EPOCHS * epoch
    for name, runs in turns.trainings.items():
        add(name, summary(runs, NOTEBOOK_EPOCHS * epoch))
    for precision, seconds in turns.recipe.items():
        faster = epoch / statistics.fmean(seconds)
        row = f"notebook_recipe_{precision}"
        add(row, {"seconds": spread(seconds), "times_faster": faster})

    test, _ = IMAGES.read(project / "data/test.safetensors", split="test")
    network = turns.trainings["vae16"][0].network
    fast.place(network, device, image_size=network.image_size)
    with watch.measuring("encode_10000_seconds"):
        encoding = timed(lambda: encode(network, test["images"]))
    add("encode_10000_seconds", spread(encoding))
    if importlib.util.find_spec("openTSNE"):
        import tsne

        (embed,) = read_params(("embed", EmbedSettings), path=project / "params.yaml")
        with watch.measuring("tsne"):
            compared = tsne.compare(encode(network, test["images"]).mean[: scale.points], embed)
        add("tsne", compared)
    if importlib.util.find_spec("dvc"):
        import repro

        with watch.measuring("repro"):
            reproduced = repro.measure(project, *scale.repro)
        add("repro", reproduced)
    table["peak_gib_of_benchmark"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, help="rounds, each with its own seed: 3 if left out")
    parser.add_argument("--tiny", action="store_true", help="try all of it on a few images")
    parser.add_argument("--output", type=Path, help="the file to write")
    options = parser.parse_args()
    scale = TINY if options.tiny else Scale()
    if options.seeds is not None:
        scale = scale._replace(seeds=options.seeds)
    if scale.seeds < 1:
        parser.error(f"--seeds: found {scale.seeds}, must be at least 1")
    if options.tiny:
        with tempfile.TemporaryDirectory() as folder:
            shrink(ROOT, Path(folder))
            table = measure(Path(folder), scale)
    else:
        table = measure(ROOT, scale)
    output = options.output or (None if options.tiny else ROOT / "reports" / "benchmark.json")
    if output:
        store.write_json(output, table)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    run(main)
