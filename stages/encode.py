"""Encode all images, and decode what the figures show. Usage: python stages/encode.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files.images import IMAGES
from mnist_vae.files.latents import LATENTS, LatentsFacts
from mnist_vae.files.views import VIEWS, ViewsFacts
from mnist_vae.latents.codes import encode
from mnist_vae.latents.views import EncodeSettings, explore
from mnist_vae.nets import devices, fast, weights
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("encode", EncodeSettings))
    vae, model = weights.load(Path(f"models/{name}.safetensors"), name)
    test, _ = IMAGES.read(Path("data/test.safetensors"), split="test")
    train, _ = IMAGES.read(Path("data/train.safetensors"), split="train")
    fast.place(vae, devices.pick(), image_size=vae.image_size)

    latents, views = explore(vae, test["images"], test["labels"], settings, model.seed)
    latents |= {"train_mean": encode(vae, train["images"]).mean, "train_labels": train["labels"]}
    LATENTS.write(
        Path(f"data/latents/{name}.safetensors"),
        latents,
        LatentsFacts(model=name, seed=model.seed, epochs=model.epochs),
    )
    VIEWS.write(
        Path(f"data/images/{name}.safetensors"),
        views,
        ViewsFacts(
            model=name,
            epochs=model.epochs,
            classes=settings.interpolate,
            start=settings.first_pair,
        ),
    )


if __name__ == "__main__":
    run(main)
