"""Draw all figures of a model. Usage: python stages/draw.py MODEL

Reads images, maps and samples of a model; writes PNG files, without torch.
"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.figures import model, style
from mnist_vae.files import store
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.maps import MAPS
from mnist_vae.files.samples import SAMPLES
from mnist_vae.files.views import VIEWS
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("figures", style.FigureSettings))
    latents, encoded = LATENTS.read(Path(f"data/latents/{name}.safetensors"), model=name)
    views, shown = VIEWS.read(
        Path(f"data/images/{name}.safetensors"), model=name, epochs=encoded.epochs
    )
    maps, laid = MAPS.read(
        Path(f"data/maps/{name}.safetensors"),
        needs=["labels"] if encoded.classes else [],
        sizes={"N": len(latents["mean"])},
        model=name,
    )
    samples, _ = SAMPLES.read(
        Path(f"data/samples/{name}.safetensors"),
        needs=["class_digits_read"] if encoded.classes else [],
        model=name,
        weights=encoded.weights,
    )

    facts = {
        "start": shown.start,
        "dataset": encoded.dataset,
        "classes": encoded.classes,
        "corners": shown.corners,
        "method": laid.method,
    }
    drawn = model.of_model(settings, facts, views, maps, samples)
    colour = views["originals"].shape[1] == 3
    files = {stem: style.png(figure, settings.dpi, full=colour) for stem, figure in drawn}
    # All are drawn before the first is written: there are all figures or none.
    for stem, data in files.items():
        store.write_bytes(Path(f"reports/figures/{name}/{stem}.png"), data)


if __name__ == "__main__":
    run(main)
