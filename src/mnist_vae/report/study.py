"""What the study found, for the page: the answer over seeds, and which differences hold.

A page is about one data set and one recipe, and so is what it takes from the study: a grid of
other images is none here, and only one of the page's own recipe has counterparts of its models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files import store, trials
from mnist_vae.files.store import Arrays
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report.document import (
    Block,
    Code,
    Gallery,
    Heading,
    Inline,
    Link,
    Paragraph,
    Picture,
)
from mnist_vae.study import state
from mnist_vae.study.answer import Comparison, beats, compare
from mnist_vae.study.summary import Spread, select, spread

COLUMNS = {
    "distortion.squared_error": "squared_error",
    "distortion.squared_error_sampled": "squared_error_sampled",
    "likelihood.calibrated.elbo": "elbo",
    "likelihood.calibrated.nll": "nll",
    "latent.knn_accuracy": "knn_accuracy",
    "latent.probe_accuracy": "probe_accuracy",
    "samples.standard.frechet": "frechet_standard",
    "samples.gaussian.frechet": "frechet_gaussian",
    "samples.mixture.frechet": "frechet_mixture",
    "samples.classes.frechet": "frechet_classes",
}
"""Metrics of the page, by their paths, that the study measures too: its columns."""

CAPTIONS = {
    "difference": "Squared error of the VAE, in percent above that of the autoencoder: each seed, "
    "and the mean with the interval of its test",
    "squared_error": "Squared error on test images: each seed, and the mean with its 95% interval",
    "probe_accuracy": "Classes that a linear probe reads",
    "knn_accuracy": "Classes that 5 neighbours tell",
    "kl": "KL",
    "frechet_standard": "Fréchet distance of samples of N(0, I)",
    "frechet_mixture": "Fréchet distance of samples of a fitted mixture",
    "frechet_classes": "Fréchet distance of samples of a mixture fitted to each class",
    "rate_distortion": "Rate and distortion of KL weights",
    "error_against_seconds": "Squared error against the seconds of a training",
}
"""What the figures of a grid show; the page keeps this order."""
ANSWER, GROUNDS = ("squared_error",), ("difference",)
"""The figure beside the answer, and the one beside what the answer rests on."""

MODEL_KEYS = {"kind", "latent_dim", "likelihood", "kl_weight", "seed"}
"""Settings that a model of the page may have to be one of the study's."""


class Grid(NamedTuple):
    """What a grid of the study found."""

    name: str
    table: Arrays
    """As files.trials reads it."""
    sentences: Sequence[str]
    """Its answer; none where it asks another question."""
    state: str
    """Whether it is as new as the code, in a sentence."""

    @property
    def recipe(self) -> str:
        """Of all its trainings."""
        return str(self.table["recipe"][0])

    @property
    def seeds(self) -> int:
        """How many there are."""
        return len(set(self.table["seed"].tolist()))


def read(name: str, data: DatasetFacts, params: state.Params, root: Path = Path()) -> Grid | None:
    """What was found of a grid on a data set; None where it has not run, or on other images.

    ``params`` are the sections ``recipes`` and ``study`` as they are now. Raises InputError for
    files that are damaged.
    """
    folder = root / f"reports/study/{name}"
    if not all((folder / file).exists() for file in ("trainings.csv", "answer.json")):
        return None
    table = trials.read(folder / "trainings.csv")
    images = (data.dataset, data.binarise)
    if {*zip(table["dataset"].tolist(), table["binarise"].tolist(), strict=True)} != {images}:
        return None
    sentences = store.read_json(folder / "answer.json").get("sentences")
    if not isinstance(sentences, list) or not all(isinstance(each, str) for each in sentences):
        raise InputError(f"{folder / 'answer.json'}: sentences must be a list{trials.AGAIN}")
    return Grid(name, table, sentences, state.sentence(name, params, root))


class Counterparts(NamedTuple):
    """The models of the page that a grid has trained from several seeds."""

    grid: Grid
    places: Mapping[str, tuple[str, int]]
    """By the page's name: the grid's name, and the number of latent dimensions."""

    def compare(self, vae: str, autoencoder: str) -> Comparison | None:
        """The squared error of a VAE less that of an autoencoder of as many dimensions."""
        if vae not in self.places or autoencoder not in self.places:
            return None
        (one, dims), (other, _) = self.places[vae], self.places[autoencoder]
        found = compare(self.grid.table, "squared_error", one, other)
        return next((each for each in found if each.dims == dims), None)

    def beats(self, path: str, name: str, others: Sequence[str], *, lower: bool) -> bool:
        """Whether a model is better than all others in a metric, beyond the spread of seeds.

        Not where the study lacks the metric or one of the models.
        """
        column, names = COLUMNS.get(path), (name, *others)
        if column not in self.grid.table or any(each not in self.places for each in names):
            return False
        one, *rest = (self.places[each] for each in names)
        return beats(self.grid.table, column, one, rest, lower=lower)

    def spread(self, path: str, name: str) -> Spread | None:
        """A metric of a model over the seeds of the study; None where it lacks one or the other."""
        column = COLUMNS.get(path)
        if column not in self.grid.table or name not in self.places:
            return None
        values = select(self.grid.table, *self.places[name])[column]
        known = values[np.isfinite(values)]
        return spread(known) if len(known) > 1 else None


def counterparts(
    grids: Sequence[Grid], recipe: str, models: Mapping[str, Any]
) -> Counterparts | None:
    """Those of models, as params.yaml has them, in the first grid of a recipe; None without one."""
    grid = next((grid for grid in grids if grid.recipe == recipe), None)
    if grid is None:
        return None
    columns = ("kind", "likelihood", "latent_dim", "kl_weight", "model")
    there = {}
    for *settings, weight, name in zip(*(grid.table[c].tolist() for c in columns), strict=True):
        there[(*settings, None if weight != weight else weight)] = name  # NaN: no weight
    places = {}
    for name, model in models.items():
        if not isinstance(model, Mapping) or model.keys() - MODEL_KEYS:
            continue
        key = (
            model.get("kind"),
            model.get("likelihood", "fixed"),
            dims := model.get("latent_dim"),
            model.get("kl_weight"),
        )
        if key in there:
            places[name] = (there[key], int(str(dims)))
    return Counterparts(grid, places)


# ---- On the page --------------------------------------------------------------------------------


def opening(grid: Grid, sizes: Mapping[str, tuple[int, int]]) -> list[Block]:
    """The answer in a sentence and its figure; nothing where a grid has no answer."""
    if not grid.sentences:
        return []
    return [Paragraph([grid.sentences[0]], lead=True), *_gallery(grid, sizes, ANSWER)]


def grounds(grid: Grid, sizes: Mapping[str, tuple[int, int]]) -> list[Block]:
    """What the answer rests on; nothing where a grid has no answer."""
    if not grid.sentences:
        return []
    how = Link("docs/study.md", "../docs/study.md")
    text = " ".join([*grid.sentences[1:], grid.state, ""])
    return [
        Paragraph([*_inlines(text), how, " says how it was found."]),
        *_gallery(grid, sizes, GROUNDS),
    ]


def section(
    grids: Sequence[Grid], opened: Grid | None, sizes: Mapping[str, tuple[int, int]]
) -> list[Block]:
    """What else each grid found, but for what stands of one at the top of the page."""
    blocks: list[Block] = []
    for grid in grids:
        first = grid is opened and bool(grid.sentences)
        shown = [name for name in CAPTIONS if not (first and name in (*ANSWER, *GROUNDS))]
        said = [] if first else [Paragraph(_inlines(" ".join([*grid.sentences, grid.state])))]
        gallery = _gallery(grid, sizes, shown)
        if said or gallery:
            about = f"{grid.seeds} seeds, by the recipe "
            intro = Paragraph([about, Code(grid.recipe), "."])
            blocks += [Heading(f"Grid {grid.name}"), intro, *said, *gallery]
    return blocks


def _inlines(text: str) -> list[Inline]:
    """Text with what stands between backquotes as code."""
    return [Code(part) if odd % 2 else part for odd, part in enumerate(text.split("`"))]


def _gallery(grid: Grid, sizes: Mapping[str, tuple[int, int]], names: Sequence[str]) -> list[Block]:
    pictures = [
        Picture(path, f"Study, grid {grid.name}: {CAPTIONS[name]}", CAPTIONS[name], sizes[path])
        for name in names
        if (path := f"study/{grid.name}/figures/{name}.png") in sizes
    ]
    return [Gallery(pictures)] if pictures else []
