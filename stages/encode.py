"""Encode all images, and decode what the figures show. Usage: python stages/encode.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files.latents import LATENTS, LatentsFacts
from mnist_vae.files.split import read_split
from mnist_vae.files.views import VIEWS, ViewsFacts
from mnist_vae.latents.codes import encode
from mnist_vae.latents.views import EncodeSettings, explore
from mnist_vae.nets import devices, fast, weights
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("encode", EncodeSettings))
    vae, model = weights.load(Path(f"models/{name}.safetensors"), name)
    train = read_split("train", C=vae.channels, H=vae.image_size)
    test = read_split("test", like=train)
    digest = weights.digest(vae)
    fast.place(vae, devices.pick(), image_size=vae.image_size)

    classes = len(test.classes)
    latents, views = explore(vae, test.images, test.labels, classes, settings, model.seed)
    mean, logvar = encode(vae, train.images)
    latents["train_mean"] = mean
    if logvar is not None:
        latents["train_logvar"] = logvar
    if train.labels is not None:
        latents["train_labels"] = train.labels
    LATENTS.write(
        Path(f"data/latents/{name}.safetensors"),
        latents,
        LatentsFacts(
            model=name,
            weights=digest,
            seed=model.seed,
            epochs=model.epochs,
            dataset=test.dataset,
            classes=test.classes,
        ),
    )
    VIEWS.write(
        Path(f"data/images/{name}.safetensors"),
        views,
        ViewsFacts(
            model=name,
            epochs=model.epochs,
            corners=settings.corners(classes),
            start=settings.pairs(len(test.images)).start,
        ),
    )


if __name__ == "__main__":
    run(main)
