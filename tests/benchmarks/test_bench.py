"""The benchmark: all of it on a few images, and the arithmetic of its tables."""

from __future__ import annotations

import json
import math
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from machine import BUSY, NOISE, Used, Watch, other_cores, spread
from support.project import ROOT, run, smallest, write_images
from trainings import Training, summary

from mnist_vae.nets import devices
from mnist_vae.nets.vae import VAE


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in a tree of mappings, with its keys from the top."""
    if not isinstance(value, dict):
        yield path, value
        return
    for key, part in value.items():
        yield from leaves(part, f"{path}/{key}")


# --- The whole of it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with the benchmarks in it."""
    project = smallest(tmp_path_factory.mktemp("project"), ("vae16", "vae2"))
    shutil.copytree(ROOT / "benchmarks", project / "benchmarks")
    write_images(project)
    return project


def test_tiny_gives_every_row(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "tiny.json"
    command = ("benchmarks/bench.py", "--tiny", "--output", str(output))
    done = run(folder, sys.executable, *command)
    assert done.returncode == 0, done.stderr
    table = json.loads(output.read_text())

    values = dict(leaves(table))
    published = dict(leaves(json.loads((ROOT / "reports/benchmark.json").read_text())))
    if not devices.has_bfloat16(torch.device("cpu")):
        published = {key: value for key, value in published.items() if "bfloat16" not in key}
    assert published.keys() <= values.keys()
    numbers = {key: value for key, value in values.items() if isinstance(value, int | float)}
    assert all(map(math.isfinite, numbers.values()))
    at_least_0 = ("/sd", "/busy", "/other_cores", "_kl")
    assert all(value > 0 for key, value in numbers.items() if not key.endswith(at_least_0))

    assert values["/notebook_epoch_seconds/runs"] == 2  # the second epoch and the third
    assert values["/notebook_300_epochs_seconds"] == 300 * values["/notebook_epoch_seconds/mean"]
    measured = [name for name, row in table.items() if isinstance(row, dict)]
    assert all(f"{name}: load " in done.stderr for name in measured)
    for name in measured:
        assert table[name]["busy"] == (f"{name}: busy: " in done.stderr)
    assert not (folder / "reports").exists()


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("--seeds", "0"), 2, "--seeds: found 0, must be at least 1"),
        (("--tiny",), 1, "bench.py: error: "),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    tmp_path: Path, options: tuple[str, ...], code: int, word: str
) -> None:
    project = smallest(tmp_path, ("vae2",))  # without images
    shutil.copytree(ROOT / "benchmarks", project / "benchmarks")
    done = run(project, sys.executable, "benchmarks/bench.py", *options)
    assert done.returncode == code
    assert word in done.stderr.splitlines()[-1]


# --- Tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "mean", "sd"), [([2.0], 2.0, 0.0), ([1.0, 2.0, 6.0], 3.0, math.sqrt(7))]
)
def test_spread(values: list[float], mean: float, sd: float) -> None:
    assert spread(values) == pytest.approx({"mean": mean, "sd": sd, "runs": len(values)})


def test_spread_of_nothing_is_refused() -> None:
    with pytest.raises(statistics.StatisticsError):
        spread([])


def test_summary() -> None:
    network = VAE(2)
    runs = [Training(8.0, 6.0, 6.5, 0.7, network), Training(12.0, 6.2, 6.7, 0.9, network)]
    assert summary(runs, notebook=2000.0) == {
        "seconds": spread([8.0, 12.0]),
        "final_training_loss": spread([6.0, 6.2]),
        "test_squared_error": spread([6.5, 6.7]),
        "times_faster": 200.0,
        "peak_gib": 0.9,
    }


# --- Who else was busy ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "everything", "cores"),
    [
        (8.0, 8.0, 0.0),  # all was our own
        (8.0, 7.5, 0.0),  # ticks missed some of it
        (8.0, 8.0 + NOISE, 0.0),
        (8.0, 10.0 + NOISE, 0.5),
        (0.0, 8.0 + NOISE, 2.0),  # both cores, and we slept
    ],
)
def test_other_cores(own: float, everything: float, cores: float) -> None:
    before = Used(100.0, 10.0, 1000.0)
    after = Used(100.0 + 4.0, 10.0 + own, 1000.0 + everything)
    assert other_cores(before, after) == pytest.approx(cores)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="the kernel does not count")
def test_another_process_marks_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch()
    spin = "import time; print(flush=True)\nwhile True: time.process_time()"
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()  # it has started
        with watch.measuring("row"):
            # Not ours until somebody waits for it.
            subprocess.run([sys.executable, "-c", "import time; time.sleep(1.5)"], check=True)
        other.kill()
    marks = watch.marks("row")
    assert marks["busy"] is True
    assert marks["other_cores"] > BUSY
    load, busy = capsys.readouterr().err.splitlines()
    assert load.startswith("row: load ")
    assert busy.startswith("row: busy: ")
    assert watch.marks("another row") == {}
