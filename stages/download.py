"""Read or fetch the data set that params.yaml names, as arrays. Usage: python stages/download.py"""

from __future__ import annotations

from start import run

import sys
from pathlib import Path

from mnist_vae.data.dataset import DataSettings, read_dataset
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.settings import read_params


def main() -> None:
    (settings,) = read_params(("data", DataSettings))
    dataset = read_dataset(settings)
    if dataset.skipped:
        lines = f"{len(dataset.skipped)} files skipped, the first: {dataset.skipped[0]}"
        print(lines, file=sys.stderr, flush=True)
    for split, arrays in dataset.splits.items():
        path = Path(f"data/{split}.safetensors")
        facts = ImagesFacts(
            split=split,
            dataset=dataset.name,
            classes=dataset.classes,
            binarise=settings.binarise,
        )
        IMAGES.write(path, arrays, facts)
        print(f"{path}: {len(arrays['images'])} images from {dataset.source}")


if __name__ == "__main__":
    run(main)
