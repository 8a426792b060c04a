"""Trainings an hour of the study: by one process, by two, and by a Dask cluster of two workers.

Usage: python benchmarks/throughput.py [--seeds N] [--tiny]. Needs data/, from `make reproduce`, and
writes reports/throughput.json.
The grid is that of `study.grids.main` at 16 dimensions, so 3 · N trainings, measured as in the
study; starting the processes counts. --tiny tries it on a few images: its numbers mean nothing, and
it writes no file.
"""

from __future__ import annotations

from beside import ROOT, run

import argparse
import contextlib
import importlib.util
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from copies import copy, python, shrink
from machine import Watch

from mnist_vae.files import store, trials
from mnist_vae.study.run import SCHEDULER, WORKERS
from mnist_vae.study.trial import FILES


@contextlib.contextmanager
def project_of(seeds: int, tiny: bool) -> Iterator[Path]:
    """A copy of the project with a small grid in which nothing has run."""

    def change(tree: dict[str, Any]) -> None:
        tree["study"]["grids"]["main"] |= {"dims": [16], "seeds": list(range(seeds))}
        if tiny:
            tree["recipes"]["fast"] |= {"epochs": 1, "least_images": 1}

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small:
        target = Path(folder)
        copy(ROOT, target, change)
        (target / "data").mkdir()
        if tiny:
            shrink(ROOT, Path(small))
        for name in FILES:
            tried = tiny and name != "classifier.safetensors"
            (target / "data" / name).symlink_to((Path(small) if tried else ROOT) / "data" / name)
        yield target


def trainings_an_hour(seeds: int, tiny: bool, **env: str) -> float:
    """Of a study that begins with nothing."""
    with project_of(seeds, tiny) as project:
        start = time.perf_counter()
        python(project, "stages/study.py", "main", **env)
        seconds = time.perf_counter() - start
        done = len(trials.read(project / "reports/study/main/trainings.csv")["seed"])
    return 3600 * done / seconds


def measure(seeds: int, tiny: bool) -> dict[str, dict[str, float]]:
    """A row for each kind of workers."""
    watch = Watch()
    table: dict[str, dict[str, float]] = {}

    def add(row: str, **env: str) -> None:
        with watch.measuring(row):
            speed = trainings_an_hour(seeds, tiny, **env)
        table[row] = {"trainings_an_hour": speed} | watch.marks(row)

    for workers in ("1", "2"):
        add(f"workers_{workers}", **{WORKERS: workers})
    if importlib.util.find_spec("distributed"):
        from distributed import LocalCluster

        # Their processes count as others': they were started before, and end behind the row.
        with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
            add("dask_2", **{SCHEDULER: cluster.scheduler_address})
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="trainings of each of three models")
    parser.add_argument("--tiny", action="store_true", help="try it on a few images")
    options = parser.parse_args()
    if options.seeds < 1:
        parser.error(f"--seeds: found {options.seeds}, must be at least 1")
    table = measure(options.seeds, options.tiny)
    if not options.tiny:
        store.write_json(ROOT / "reports/throughput.json", table)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    run(main)
