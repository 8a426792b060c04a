"""Encode all images, and decode what the figures show. Usage: python stages/encode.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import params, process
from mnist_vae.files import store
from mnist_vae.latents import views
from mnist_vae.nets import devices, weights


def main() -> None:
    name = process.argument("MODEL")
    settings, seed = params.load(("encode", views.EncodeSettings), ("seed", params.Seed))
    path = Path(f"models/{name}.safetensors")
    vae, _, about = weights.load(path, name)
    epochs = params.check(about.get("epochs"), int, f"{path}: epochs")
    test, _ = store.read_arrays(
        Path("data/mnist/test.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="test",
    )
    train, _ = store.read_arrays(
        Path("data/mnist/train.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="train",
    )
    vae.to(devices.pick())

    latents, images = views.explore(vae, test["images"], test["labels"], settings, seed)
    latents["train_mean"], _ = views.encode(vae, train["images"])
    latents["train_labels"] = train["labels"]
    facts = {"model": name, "epochs": epochs}
    store.write_arrays(Path(f"data/latents/{name}.safetensors"), "latents", latents, **facts)
    store.write_arrays(
        Path(f"data/images/{name}.safetensors"),
        "images of a model",
        images,
        **facts,
        classes=settings.interpolate,
        start=settings.first_pair,
    )


if __name__ == "__main__":
    run(main)
