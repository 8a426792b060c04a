"""Draw what is known of a model. Usage: python stages/draw.py MODEL

Reads the loss curve, latents, images and maps of a model; writes PNG files, without torch.
"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import figures, params, process
from mnist_vae.files import store
from mnist_vae.params import Digit

SHOWN = {"start": int, "classes": tuple[Digit, Digit, Digit, Digit]}
METHOD = {"method": str, "perplexity": float}


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = params.load(("figures", figures.FigureParams))
    encoded, decoded, laid = (
        Path(f"data/{kind}/{name}.safetensors") for kind in ("latents", "images", "maps")
    )
    latents, about = store.read_arrays(
        encoded,
        "latents",
        "mean float32 N D",
        "labels uint8<10 N",
        ("logvar float32 N D",),
        model=name,
    )
    epochs = params.check(about.get("epochs"), int, f"{encoded}: epochs")
    curve = store.read_table(Path(f"reports/curves/{name}.csv"), "epoch", "loss", length=epochs)
    images, shown = store.read_arrays(
        decoded,
        "images of a model",
        "originals uint8 100 28 28",
        "reconstructions uint8 100 28 28",
        "class_digits uint8 10 28 28",
        "interpolation uint8 S S 28 28",
        ("prior_samples uint8 100 28 28",),
        ("manifold uint8 M M 28 28", "manifold_x float32 M", "manifold_y float32 M"),
        ("traversals uint8 R T 28 28", "traversal_dims int64 R", "traversal_values float32 R T"),
        model=name,
        epochs=epochs,
    )
    size = len(latents["mean"])
    maps, method = store.read_arrays(
        laid,
        "maps",
        f"map float32 {size} 2",
        "class_map float32 10 2",
        f"pca float32 {size} 2",
        "explained_variance float32 2",
        f"labels uint8<10 {size}",
        model=name,
    )

    facts = {"model": name, "epochs": epochs}
    for path, found, kinds in ((decoded, shown, SHOWN), (laid, method, METHOD)):
        for key, kind in kinds.items():
            facts[key] = params.check(found.get(key), kind, f"{path}: {key}")
    drawn = figures.of_model(settings, facts, curve, latents, images, maps)
    files = {stem: figures.png(figure, settings.dpi) for stem, figure in drawn}
    # All are drawn before the first is written: there are all figures or none.
    for stem, data in files.items():
        store.write_bytes(Path(f"reports/figures/{name}/{stem}.png"), data)


if __name__ == "__main__":
    run(main)
