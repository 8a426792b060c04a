"""The measuring of a card, tried on a processor, so that no minute on a card goes to a slip."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import gpu
import pytest
import yaml
from support.project import ROOT, run, smallest, write_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with the benchmarks in it."""
    project = smallest(tmp_path_factory.mktemp("project"), ("vae16", "vae2", "sigma16"))
    shutil.copytree(ROOT / "benchmarks", project / "benchmarks")
    write_images(project)
    return project


def test_tiny_gives_the_rows_that_are_asked_for_and_keeps_others(
    folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "gpu.json"
    output.write_text('{"several": "before"}')
    rows = ("machine", "steps", "trainings", "codes", "notebook_recipe", "pipeline")
    options = ("--tiny", "--output", str(output), "--rows", *rows)
    done = run(folder, sys.executable, "benchmarks/gpu.py", *options)
    assert done.returncode == 0, done.stderr
    table = json.loads(output.read_text())
    assert table.pop("several") == "before"
    assert list(table) == list(rows)
    assert {name: row for name, row in table.items() if "failed" in row} == {}
    assert table["trainings"]["vae16"]["same_bytes_again"]
    assert set(table["pipeline"]["seconds"]) == set(gpu.STAGES)


def test_the_pipeline_is_all_that_makes_something_of_the_data() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert sorted(gpu.STAGES) == sorted(stages.keys() - {"settings", "download"})
    for_each = {name for name, stage in stages.items() if "foreach" in stage}
    assert sorted(gpu.OF_ALL_MODELS) == sorted(set(gpu.STAGES) - for_each)
