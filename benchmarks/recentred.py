"""What recentring leaves of the KL that the notebook's recipe ends at, and what it does to samples.

Usage: python benchmarks/recentred.py. Needs data/ and the weights that `make study-notebook` leaves
in data/study, and writes reports/recentred.json: KL, Fréchet distance of samples of N(0, I) and
squared error of each VAE of the grid notebook, as it was trained and after its latents were
recentred on the training images. All are of the test images, as the study measures them.
"""

from __future__ import annotations

from beside import ROOT, run

import copy

import numpy as np
import torch
from machine import spread
from msgspec.structs import replace

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.split import Split, read_split
from mnist_vae.files.store import Arrays
from mnist_vae.measure.evaluate import Trained
from mnist_vae.nets import classifier_weights, devices, fast
from mnist_vae.nets.model import build
from mnist_vae.nets.weights import fill
from mnist_vae.settings import read_params
from mnist_vae.study.grid import Grid, Trial, trials
from mnist_vae.study.metrics import MeasureSettings, measure, spread_evenly
from mnist_vae.train import autoencode
from mnist_vae.train.recentre import recentre
from mnist_vae.train.recipe import Recipe

MEASURED = ("kl", "frechet_standard", "squared_error")


def trained(trial: Trial, recipe: Recipe, images: torch.Tensor) -> Trained:
    """A model of the study with the weights that it kept. Raises InputError where it has none."""
    folder = ROOT / "data/study"
    key = autoencode.checkpoints_of(trial.name, trial.settings, recipe, images, trial.seed).key
    path = folder / f"weights/{key}.safetensors"
    if not path.exists():
        raise InputError(f"{folder}: no weights of {trial.name}: make study-notebook leaves them")
    kept, facts = store.read_arrays(path, "weights of a trial")
    network = build(trial.settings, image_size=images.shape[-1], channels=images.shape[1])
    fill(network, kept, str(path))
    curve = {name: np.array(values) for name, values in facts["curve"].items()}
    return Trained(network, trial.settings, curve)


def arrays(split: Split) -> Arrays:
    """The images with their labels."""
    assert split.labels is not None
    return {"images": split.images, "labels": split.labels}


def main() -> None:
    torch.set_num_threads(1)  # as the study trains: it is part of what names its weights
    grid, recipe, settings = read_params(
        ("study.grids.notebook", Grid),
        ("recipes.${study.grids.notebook.recipe}", Recipe),
        ("study.measure", MeasureSettings),
        path=ROOT / "params.yaml",
    )
    settings = replace(settings, metrics=("distortion", "rate", "samples"), priors=("standard",))
    train, test = (arrays(read_split(name, folder=ROOT / "data")) for name in ("train", "test"))
    classifier, _ = classifier_weights.load(ROOT / "data/classifier.safetensors")
    assert classifier is not None
    fit, images = spread_evenly(train, settings.fit_images), torch.from_numpy(train["images"])
    recipe, device = recipe.for_images(len(images)), devices.pick()
    fast.place(classifier, device, image_size=images.shape[-1])
    found: dict[str, dict[str, list[float]]] = {}
    for trial in (trial for trial in trials(grid) if trial.settings.kind == "vae"):
        model = trained(trial, recipe, images)
        moved = copy.deepcopy(model.network)
        recentre(moved, images)
        of_dims = found.setdefault(str(trial.settings.latent_dim), {})
        for when, each in (("before", model), ("after", model._replace(network=moved))):
            fast.place(each.network, device, image_size=images.shape[-1])
            numbers = measure(each, classifier, test, fit, settings, trial.seed)
            for name in MEASURED:
                of_dims.setdefault(f"{name}_{when}", []).append(numbers[name])
        before, after = (of_dims[f"kl_{when}"][-1] for when in ("before", "after"))
        print(f"{trial.name}: KL {before:.1f}, recentred {after:.1f}", flush=True)
    table = {
        dims: {name: spread(values) for name, values in of_dims.items()}
        for dims, of_dims in found.items()
    }
    store.write_json(ROOT / "reports/recentred.json", table)


if __name__ == "__main__":
    run(main)
