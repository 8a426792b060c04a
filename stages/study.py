"""Train and measure all of a study's grid, on all workers. Usage: python stages/study.py GRID"""

from __future__ import annotations

from start import run

from pathlib import Path

from mnist_vae import process
from mnist_vae.files import trials
from mnist_vae.files.split import read_split
from mnist_vae.settings import read_params
from mnist_vae.study import grid
from mnist_vae.study.metrics import MeasureSettings
from mnist_vae.study.run import run_all
from mnist_vae.study.trial import Study
from mnist_vae.train.recipe import Recipe


def main() -> None:
    name = process.argument("GRID")
    wanted, recipe, measures = read_params(
        (f"study.grids.{name}", grid.Grid),
        (f"recipes.${{study.grids.{name}.recipe}}", Recipe),
        ("study.measure", MeasureSettings),
    )
    images = read_split("train", grey=True)
    study = Study.of(recipe, measures, data=Path("data"), folder=Path("data/study"))
    results = run_all(grid.trials(wanted), study, name)
    data = {"dataset": images.dataset, "binarise": images.binarise}
    rows = [{**data, "recipe": wanted.recipe, **result.row} for result in results]
    trials.write(Path(f"reports/study/{name}/trainings.csv"), rows)


if __name__ == "__main__":
    run(main)
