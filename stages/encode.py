"""Encode the test images, and decode what the figures show. Usage: python stages/encode.py MODEL"""

from __future__ import annotations

from pathlib import Path

from mnist_vae import artifacts, device, errors, latent, model, params


def main() -> None:
    name = errors.argument("MODEL")
    settings, seed = params.load(("encode", latent.EncodeParams), ("seed", params.Seed))
    vae, _, about = model.load(Path(f"models/{name}.safetensors"), name)
    data, _ = artifacts.read_arrays(
        Path("data/mnist/test.safetensors"), "images", "images", "labels", split="test"
    )
    vae.to(device.pick())

    latents, images = latent.explore(vae, data["images"], data["labels"], settings, seed)
    facts = {"model": name, "kind": about["kind"], "epochs": about["epochs"]}
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
    errors.run(main)
