"""Seconds an image and peak memory of a training on many images.

Usage: python benchmarks/scale.py [--tiny], in a project's top folder. The images are the project's,
repeated, each copy moved by some pixels; an epoch of the default recipe is trained on them by
`python stages/train.py vae16`. Writes reports/scale.json.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from copies import copy, python
from trainings import PEAK

from mnist_vae.files import curves, store
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.files.split import read_split

MODEL = "vae16"
ROWS = ((60_000, 28, 1), (600_000, 28, 1), (1_000_000, 28, 1), (20_000, 64, 3))


def many(images: np.ndarray, count: int, size: int, channels: int) -> np.ndarray:
    """So many images uint8 [count, channels, size, size], of other ones [N, 1, H, W]."""
    out = np.empty((count, channels, size, size), np.uint8)
    for turn, start in enumerate(range(0, count, len(images))):
        part = np.roll(images, (turn % 5, turn // 5), (2, 3))[: count - start]
        if size != part.shape[2]:
            part = np.resize(part, (len(part), 1, size, size))
        out[start : start + len(part)] = part  # grey in all channels
    return out


def measure(project: Path, count: int, size: int, channels: int) -> dict[str, Any]:
    """Train on so many images for one epoch, as a process."""

    def change(tree: dict[str, Any]) -> None:
        tree["recipes"][tree["recipe"]] |= {"epochs": 1, "least_images": 1}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(project, folder, change)
        images = many(read_split("train", folder=project / "data").images, count, size, channels)
        facts = ImagesFacts(split="train", dataset="many")
        IMAGES.write(folder / "data/train.safetensors", {"images": images}, facts)
        gigabytes = images.nbytes / 1e9
        del images
        start = time.perf_counter()
        printed = python(folder, str(PEAK), "stages/train.py", MODEL)
        seconds = time.perf_counter() - start
        loss = curves.read(folder / f"reports/curves/{MODEL}.csv")["loss"][-1]
    speed = [line for line in printed.splitlines() if "images/s" in line][-1]
    return {
        "images": count,
        "shape": [channels, size, size],
        "data_gb": gigabytes,
        "process_seconds": seconds,
        "images_a_second": int(speed.split(" images/s")[0].split()[-1].replace(",", "")),
        "peak_gb": float(printed.splitlines()[-1]) * 2**30 / 1e9,
        "loss": float(loss),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="few images, and no file is written")
    parser.add_argument("--start", type=int, default=0, help="leave out so many rows, and no file")
    options = parser.parse_args()
    rows = ((400, 28, 1), (100, 64, 3)) if options.tiny else ROWS[options.start :]
    table = []
    for row in rows:
        table.append(measure(Path(), *row))
        print(json.dumps(table[-1]), flush=True)
    if not options.tiny and not options.start:
        store.write_json(ROOT / "reports" / "scale.json", {"rows": table})


if __name__ == "__main__":
    run(main)
