"""Check all of params.yaml, for every stage. Usage: python stages/settings.py

DVC deletes the outputs of a stage before it runs it. Were a mistake found only by the stage that
reads it, the results that were there would be gone; so this one runs first.
"""

from __future__ import annotations

from start import run

import re
from pathlib import Path

from mnist_vae.data.dataset import DataSettings, entry
from mnist_vae.errors import InputError
from mnist_vae.figures.style import FigureSettings
from mnist_vae.files import store
from mnist_vae.latents.maps import EmbedSettings
from mnist_vae.latents.pictures import Pictures
from mnist_vae.latents.priors import PriorSettings
from mnist_vae.latents.views import EncodeSettings
from mnist_vae.measure.evaluate import EvaluateSettings
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import Seed, read_params
from mnist_vae.study.grid import Grid
from mnist_vae.study.metrics import MeasureSettings
from mnist_vae.train.classify import ClassifierSettings
from mnist_vae.train.recipe import Recipe

NAME = "[A-Za-z0-9][A-Za-z0-9_-]*"
"""What paths and commands can hold: process.argument takes no other."""


def main() -> None:
    models, recipes, data, made, grids, *_ = read_params(
        ("models", dict[str, ModelSettings]),
        ("recipes", dict[str, Recipe]),
        ("data", DataSettings),
        ("made", dict[str, Pictures]),
        ("study.grids", dict[str, Grid]),
        ("study.measure", MeasureSettings),
        ("recipes.${recipe}", Recipe),
        ("seed", Seed),
        ("encode", EncodeSettings),
        ("embed", EmbedSettings),
        ("classifier", ClassifierSettings),
        ("evaluate", EvaluateSettings),
        ("priors", PriorSettings),
        ("figures", FigureSettings),
    )
    for section, names in (("models", models), ("study.grids", grids)):
        for name in names:
            if not re.fullmatch(NAME, name):
                must = "must begin with a letter or digit and go on with these, _ and -"
                raise InputError(f"params.yaml: {section}: found the name {name!r}, {must}")
    try:
        entry(data)
    except InputError as error:
        raise InputError(f"params.yaml: data.dataset: {error}") from None
    for name, model in models.items():
        try:
            build(model, image_size=data.image_size, channels=data.channels)
        except InputError as error:
            raise InputError(f"params.yaml: models.{name}: {error}") from None
    named = [(f"made.{name}", "model", name, models) for name in made]
    named += [(f"study.grids.{key}", "recipe", grid.recipe, recipes) for key, grid in grids.items()]
    for key, what, name, known in named:
        if name not in known:
            there = ", ".join(known)
            raise InputError(f"params.yaml: {key}: no {what} {name!r}, there are {there}")
    # The same whatever the settings are: what comes after this stage runs again for its own.
    store.write_bytes(Path("data/settings.checked"), b"All settings are in order.\n")


if __name__ == "__main__":
    run(main)
