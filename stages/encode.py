"""Encode all images, and decode what the figures show. Usage: python stages/encode.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, device, errors, latent, model, params


def main() -> None:
    name = errors.argument("MODEL")
    settings, seed = params.load(("encode", latent.EncodeParams), ("seed", params.Seed))
    weights = Path(f"models/{name}.safetensors")
    vae, _, about = model.load(weights, name)
    epochs = params.check(about.get("epochs"), int, f"{weights}: epochs")
    test, _ = artifacts.read_arrays(
        Path("data/mnist/test.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="test",
    )
    train, _ = artifacts.read_arrays(
        Path("data/mnist/train.safetensors"),
        "images",
        "images uint8 N 28 28",
        "labels uint8<10 N",
        split="train",
    )
    vae.to(device.pick())

    latents, images = latent.explore(vae, test["images"], test["labels"], settings, seed)
    latents["train_mean"], _ = latent.encode(vae, train["images"])
    latents["train_labels"] = train["labels"]
    facts = {"model": name, "epochs": epochs}
    artifacts.write_arrays(Path(f"data/latents/{name}.safetensors"), "latents", latents, **facts)
    artifacts.write_arrays(
        Path(f"data/images/{name}.safetensors"),
        "images of a model",
        images,
        **facts,
        classes=settings.interpolate,
        start=settings.first_pair,
    )


if __name__ == "__main__":
    run(main)
