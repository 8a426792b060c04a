"""Lay a model's latents out in two dimensions. Usage: python stages/embed.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import params, process
from mnist_vae.files import store
from mnist_vae.latents.maps import EmbedSettings, project


def main() -> None:
    name = process.argument("MODEL")
    settings, seed = params.load(("embed", EmbedSettings), ("seed", params.Seed))
    latents, _ = store.read_arrays(
        Path(f"data/latents/{name}.safetensors"),
        "latents",
        "mean float32 N D",
        "labels uint8<10 N",
        "class_latents float32 10 D",
        model=name,
    )
    maps, method = project(latents["mean"], latents["class_latents"], settings, seed)
    store.write_arrays(
        Path(f"data/maps/{name}.safetensors"),
        "maps",
        {**maps, "labels": latents["labels"]},
        model=name,
        method=method,
        perplexity=settings.perplexity,
    )


if __name__ == "__main__":
    run(main)
