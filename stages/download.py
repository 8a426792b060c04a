"""Fetch MNIST and check it against its pinned SHA-256. Usage: python stages/download.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import mnist, params
from mnist_vae.files import store


def main() -> None:
    (settings,) = params.load(("data", mnist.DataParams))
    source, splits = mnist.fetch(settings)
    for split, arrays in splits.items():
        path = Path(f"data/mnist/{split}.safetensors")
        store.write_arrays(path, "images", arrays, split=split)
        print(f"{path}: {len(arrays['labels'])} images from {source}")


if __name__ == "__main__":
    run(main)
