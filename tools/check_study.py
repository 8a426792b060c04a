"""Train some models of the study anew, and compare them with the tables that are committed.

Usage: python tools/check_study.py [TRAININGS] [--grid NAME]...

So many trainings of each grid that ran (2 by default), drawn by chance, with the data and the code
that stand here; nothing that an earlier run kept is taken. On the kind of processor that the tables
come from every number is the same to its last digit. On another one rounding differs, and a number
may be some standard deviations of the grid's seeds away.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from rebuild import DEVIATIONS

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from mnist_vae.errors import InputError  # noqa: E402
from mnist_vae.files import trials  # noqa: E402
from mnist_vae.files.store import Arrays  # noqa: E402
from mnist_vae.settings import read_params  # noqa: E402
from mnist_vae.study.grid import Grid  # noqa: E402
from mnist_vae.study.grid import trials as trials_of  # noqa: E402
from mnist_vae.study.metrics import MeasureSettings  # noqa: E402
from mnist_vae.study.run import run_all  # noqa: E402
from mnist_vae.study.summary import measured, select  # noqa: E402
from mnist_vae.study.trial import Study  # noqa: E402
from mnist_vae.train.recipe import Recipe  # noqa: E402


def check(name: str, count: int, chosen: random.Random) -> Iterator[str]:
    """A line for each number of a grid, of so many trainings at most, that does not come again.

    Prints a line for each training that does. Raises InputError where data or tables are missing.
    """
    table = trials.read(Path(f"reports/study/{name}/trainings.csv"))
    grid, recipe, measures = read_params(
        (f"study.grids.{name}", Grid),
        (f"recipes.${{study.grids.{name}.recipe}}", Recipe),
        ("study.measure", MeasureSettings),
    )
    every = trials_of(grid)
    some = chosen.sample(every, min(count, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        study = Study.of(recipe, measures, data=Path("data"), folder=Path(folder))
        results = run_all(some, study, name)
    for result in results:
        trial = result.trial
        of_seeds = select(table, trial.model, trial.settings.latent_dim)
        apart = differences(of_seeds, trial.seed, result.numbers)
        far = {metric: by for metric, by in apart.items() if by > DEVIATIONS}
        for metric, by in far.items():
            yield (
                f"reports/study/{name}/trainings.csv: {trial.name}: {metric} comes out as "
                f"{result.numbers.get(metric)}, {by:.3g} standard deviations of its seeds away"
            )
        if not far:
            most = f"at most {max(apart.values()):.2g} standard deviations away" if apart else ""
            print(f"study {name}: {trial.name}: {most or 'the same to the last digit'}", flush=True)


def differences(of_seeds: Arrays, seed: int, numbers: Mapping[str, float]) -> Mapping[str, float]:
    """The metrics of a training that are not those of its row, in standard deviations of seeds.

    Infinity where one has the metric and the other has not, or where all seeds agree on another.
    """
    (row,) = (of_seeds["seed"] == seed).nonzero()[0].tolist() or [None]
    if row is None:
        return {"seed": math.inf}
    apart = {}
    for metric in dict.fromkeys([*measured(of_seeds), *numbers]):
        column = of_seeds.get(metric, np.full(len(of_seeds["seed"]), np.nan))
        old, new = float(column[row]), numbers.get(metric, math.nan)
        if old == new or (math.isnan(old) and math.isnan(new)):
            continue
        known = column[np.isfinite(column)]
        spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
        away = abs(new - old) / spread if spread > 0 else math.inf
        apart[metric] = math.inf if math.isnan(away) else away
    return apart


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "trainings", type=int, nargs="?", default=2, help="of each grid; default: 2"
    )
    parser.add_argument("--grid", action="append", help="only this one; may be given again")
    options = parser.parse_args(arguments)
    if options.trainings < 1:
        parser.error(f"trainings: found {options.trainings}, must be at least 1")
    ran = sorted(path.parent.name for path in Path("reports/study").glob("*/trainings.csv"))
    faults: list[str] = []
    try:
        # The grid of the notebook's recipe takes half an hour a training: only if asked for.
        for name in options.grid or [name for name in ran if name != "notebook"]:
            faults += check(name, options.trainings, random.Random())
    except InputError as error:
        faults.append(str(error))
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
