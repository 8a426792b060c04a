"""Trainings an hour of the study: all of it on a few images."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import throughput
from support.project import ROOT, edit, run
from support.studies import project_of_study


def only_distortion(tree: dict[str, Any]) -> None:
    tree["study"]["measure"]["metrics"] = ["distortion"]


def test_tiny_gives_every_row_and_writes_no_file(tmp_path: Path) -> None:
    project = project_of_study(tmp_path)
    edit(project / "params.yaml", only_distortion)
    shutil.copytree(ROOT / "benchmarks", project / "benchmarks")
    done = run(project, sys.executable, "benchmarks/throughput.py", "--tiny", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout[done.stdout.index("{") :])  # behind what Dask's workers say

    dask = ["dask_2"] if importlib.util.find_spec("distributed") else []
    assert list(table) == ["workers_1", "workers_2", *dask]
    for name, row in table.items():
        assert 0 < row["trainings_an_hour"] < math.inf
        assert f"{name}: load " in done.stderr
    assert not (project / "reports").exists()


def test_no_seeds_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["throughput.py", "--seeds", "0"])
    with pytest.raises(SystemExit, match="2"):
        throughput.main()
    assert "--seeds: found 0, must be at least 1" in capsys.readouterr().err
