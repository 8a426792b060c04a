"""Sample a model from its priors, and measure the samples. Usage: python stages/sample.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

import numpy as np

from mnist_vae import process
from mnist_vae.files import store
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.priors import read_priors
from mnist_vae.files.real import REAL
from mnist_vae.files.samples import SAMPLES, SamplesFacts
from mnist_vae.files.split import read_split
from mnist_vae.files.views import VIEWS
from mnist_vae.latents import priors
from mnist_vae.measure import quality, sampling
from mnist_vae.nets import classifier_weights, devices, fast, weights
from mnist_vae.nets.classifier import classify


def main() -> None:
    name = process.argument("MODEL")
    vae, model = weights.load(Path(f"models/{name}.safetensors"), name)
    classifier, _ = classifier_weights.load(Path("data/classifier.safetensors"))
    digest, latent = weights.digest(vae), {"D": vae.latent_dim}
    of_model = {"model": name, "weights": digest}
    latents, _ = LATENTS.read(Path(f"data/latents/{name}.safetensors"), sizes=latent, **of_model)
    fitted, _ = read_priors(
        Path(f"data/priors/{name}.safetensors"),
        dim=vae.latent_dim,
        classes=len(model.classes),
        **of_model,
    )
    known, _ = REAL.read(Path("data/real.safetensors"), dataset=model.dataset)
    views, _ = VIEWS.read(Path(f"data/images/{name}.safetensors"), model=name)
    training = read_split("train", C=vae.channels, H=vae.image_size)
    test = read_split("test", like=training, N=len(latents["mean"]))
    device = devices.pick()
    fast.place(vae, device, image_size=vae.image_size)
    if classifier is not None:
        fast.place(classifier, device, image_size=classifier.image_size)

    trained = {"standard": priors.standard(vae.latent_dim)} if vae.variational else {}
    numbers, shown = sampling.measure(
        vae,
        classifier,
        trained | priors.of_arrays(fitted),
        quality.Real(known["distances"], known.get("features")),
        latents["mean"],
        latents.get("labels"),
        training.images,
        seed=model.seed,
    )
    shown["real"] = quality.spread(test.images, sampling.SHOWN)
    if classifier is not None:
        read = classify(classifier, views["class_digits"]).labels
        shown["class_digits_read"] = read.astype(np.uint8)
    SAMPLES.write(
        Path(f"data/samples/{name}.safetensors"), shown, SamplesFacts(model=name, weights=digest)
    )
    store.write_json(Path(f"reports/metrics/{name}.samples.json"), {"samples": numbers})


if __name__ == "__main__":
    run(main)
