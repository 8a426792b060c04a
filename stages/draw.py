"""Draw what is known of a model. Usage: python stages/draw.py MODEL

Reads the loss curve, latents, images and maps of a model; writes PNG files, without torch.
"""

from __future__ import annotations

from pathlib import Path

from mnist_vae import artifacts, errors, figures, params


def main() -> None:
    name = errors.argument("MODEL")
    (settings,) = params.load(("figures", figures.FigureParams))
    curve = artifacts.read_table(Path(f"reports/curves/{name}.csv"), "epoch", "loss")
    latents, about = artifacts.read_arrays(
        Path(f"data/latents/{name}.safetensors"), "latents", "mean", "labels", model=name
    )
    images, shown = artifacts.read_arrays(
        Path(f"data/images/{name}.safetensors"),
        "images of a model",
        "originals",
        "reconstructions",
        "class_digits",
        "interpolation",
        model=name,
        epochs=about["epochs"],
    )
    maps, method = artifacts.read_arrays(
        Path(f"data/maps/{name}.safetensors"),
        "maps",
        "map",
        "class_map",
        "pca",
        "explained_variance",
        "labels",
        model=name,
    )

    facts = {**about, **shown, **method}
    drawn = figures.of_model(settings, facts, curve, latents, images, maps)
    files = {stem: figures.png(figure, settings.dpi) for stem, figure in drawn}
    # All are drawn before the first is written: an error leaves the old figures as they were.
    for stem, data in files.items():
        artifacts.write_bytes(Path(f"reports/figures/{name}/{stem}.png"), data)


if __name__ == "__main__":
    errors.run(main)
