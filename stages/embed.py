"""Lay a model's latents out in two dimensions. Usage: python stages/embed.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.maps import MAPS, MapsFacts
from mnist_vae.latents.maps import EmbedSettings, project
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("embed", EmbedSettings))
    latents, model = LATENTS.read(Path(f"data/latents/{name}.safetensors"), model=name)
    maps, method = project(latents["mean"], latents.get("class_latents"), settings, model.seed)
    if "labels" in latents:
        maps["labels"] = latents["labels"]
    MAPS.write(
        Path(f"data/maps/{name}.safetensors"),
        maps,
        MapsFacts(model=name, method=method, perplexity=settings.perplexity),
    )


if __name__ == "__main__":
    run(main)
