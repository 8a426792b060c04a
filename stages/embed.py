"""Lay a model's latents out in two dimensions. Usage: python stages/embed.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import artifacts, errors, params, projection


def main() -> None:
    name = errors.argument("MODEL")
    settings, seed = params.load(("embed", projection.EmbedParams), ("seed", params.Seed))
    latents, _ = artifacts.read_arrays(
        Path(f"data/latents/{name}.safetensors"),
        "latents",
        "mean float32 N D",
        "labels uint8<10 N",
        "class_latents float32 10 D",
        model=name,
    )
    maps, method = projection.project(latents["mean"], latents["class_latents"], settings, seed)
    artifacts.write_arrays(
        Path(f"data/maps/{name}.safetensors"),
        "maps",
        {**maps, "labels": latents["labels"]},
        model=name,
        method=method,
        perplexity=settings.perplexity,
    )


if __name__ == "__main__":
    run(main)
