"""Fit priors to the latents of training images. Usage: python stages/priors.py MODEL"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.priors import PRIORS, PriorsFacts
from mnist_vae.latents import priors
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.settings import read_params


def main() -> None:
    name = process.argument("MODEL")
    (settings,) = read_params(("priors", priors.PriorSettings))
    latents, model = LATENTS.read(Path(f"data/latents/{name}.safetensors"), model=name)
    posterior = Posterior(latents["train_mean"], latents.get("train_logvar"))
    labels = latents.get("train_labels")
    fitted = priors.fit(posterior, labels, settings, seed=model.seed)
    PRIORS.write(
        Path(f"data/priors/{name}.safetensors"),
        priors.to_arrays(fitted),
        PriorsFacts(
            model=name, weights=model.weights, seed=model.seed, components=settings.components
        ),
    )


if __name__ == "__main__":
    run(main)
