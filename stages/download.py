"""Fetch MNIST and check it against its pinned SHA-256. Usage: python stages/download.py"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae.data import mnist
from mnist_vae.files.images import IMAGES, ImagesFacts
from mnist_vae.settings import read_params


def main() -> None:
    (settings,) = read_params(("data", mnist.DataSettings))
    source, splits = mnist.fetch(settings)
    for split, arrays in splits.items():
        path = Path(f"data/{split}.safetensors")
        facts = ImagesFacts(split=split, dataset="MNIST", classes=tuple("0123456789"))
        IMAGES.write(path, {**arrays, "images": arrays["images"][:, None]}, facts)
        print(f"{path}: {len(arrays['labels'])} images from {source}")


if __name__ == "__main__":
    run(main)
