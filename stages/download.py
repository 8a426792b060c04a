"""Fetch MNIST and check it against its pinned SHA-256. Usage: python stages/download.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, params
from mnist_vae.data import mnist


def main() -> None:
    (settings,) = params.load(("data", mnist.DataSettings))
    source, splits = mnist.fetch(settings)
    for split, arrays in splits.items():
        path = Path(f"data/mnist/{split}.safetensors")
        artifacts.write_arrays(path, "images", arrays, split=split)
        print(f"{path}: {len(arrays['labels'])} images from {source}")


if __name__ == "__main__":
    run(main)
