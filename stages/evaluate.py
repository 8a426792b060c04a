"""Measure a model on the test set. Usage: python stages/evaluate.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files import curves, store
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.maps import MAPS
from mnist_vae.files.split import read_split
from mnist_vae.measure.evaluate import EvaluateSettings, Trained, measure
from mnist_vae.nets import devices, fast, weights
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("evaluate", EvaluateSettings))
    vae, model = weights.load(Path(f"models/{name}.safetensors"), name)
    latents, _ = LATENTS.read(
        Path(f"data/latents/{name}.safetensors"),
        needs=["logvar"] if vae.variational else [],
        sizes={"D": vae.latent_dim},
        model=name,
        epochs=model.epochs,
    )
    count = len(latents["mean"])
    maps, _ = MAPS.read(Path(f"data/maps/{name}.safetensors"), sizes={"N": count}, model=name)
    test = read_split("test", N=count, C=vae.channels, H=vae.image_size)
    curve = curves.read(
        Path(f"reports/curves/{name}.csv"), variational=vae.variational, length=model.epochs
    )
    device = devices.pick()
    fast.place(vae, device, image_size=vae.image_size)

    measured = measure(
        Trained(vae, model.settings, curve),
        test.images,
        latents,
        maps,
        settings=settings,
        seed=model.seed,
    )
    store.write_json(Path(f"reports/metrics/{name}.json"), {**measured, "device": model.device})


if __name__ == "__main__":
    run(main)
