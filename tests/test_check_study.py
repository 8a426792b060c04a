"""The study's tables come again: the same numbers pass, and a changed one is named."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import check_study
import numpy as np
import pytest
from check_study import differences
from support.project import edit
from support.studies import TABLE, ended, project_of_study, study

from mnist_vae.files import trials

SEEDS = {
    "seed": np.array([0, 1, 2]),
    "latent_dim": np.array([2, 2, 2]),
    "squared_error": np.array([29.0, 30, 31]),  # a standard deviation of 1
    "nll": np.array([-700.0, np.nan, -704]),
}


@pytest.mark.parametrize(
    ("seed", "numbers", "apart"),
    [
        (0, {"squared_error": 29.0, "nll": -700.0}, {}),
        (1, {"squared_error": 30.0}, {}),
        (1, {"squared_error": 37.5}, {"squared_error": 7.5}),
        (0, {"squared_error": 29.0, "nll": -699.0}, {"nll": 1 / math.sqrt(8)}),
        (0, {"squared_error": 29.0}, {"nll": math.inf}),
        (1, {"squared_error": 30.0, "nll": -700.0}, {"nll": math.inf}),
        (2, {"squared_error": 31.0, "nll": -704.0, "kl": 5.0}, {"kl": math.inf}),
        (3, {"squared_error": 29.0}, {"seed": math.inf}),
    ],
)
def test_numbers_are_held_to_their_row(
    seed: int, numbers: dict[str, float], apart: dict[str, float]
) -> None:
    assert differences(SEEDS, seed, numbers) == pytest.approx(apart)


def test_a_table_comes_again_and_a_changed_number_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def one_seed(tree: dict[str, Any]) -> None:
        tree["study"]["grids"]["main"] |= {"dims": [3], "seeds": [0]}

    project = project_of_study(tmp_path)
    edit(project / "params.yaml", one_seed)
    assert ended(study(project, MNIST_VAE_WORKERS="1"))[0] == 0
    kept = sorted((project / "data").rglob("*"))
    monkeypatch.chdir(project)
    monkeypatch.setenv("MNIST_VAE_WORKERS", "1")
    assert check_study.main(["1"]) == 0
    assert "3d-seed0: the same to the last digit" in capsys.readouterr().out
    assert sorted((project / "data").rglob("*")) == kept

    with Path(TABLE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["squared_error"] = str(float(row["squared_error"]) + 1)
    trials.write(Path(TABLE), rows)
    assert check_study.main(["1"]) == 1
    line = capsys.readouterr().err
    assert "trainings.csv: " in line
    assert "3d-seed0: squared_error comes out as " in line
    Path(TABLE).unlink()
    assert check_study.main([]) == 0  # nothing ran that could come again
    assert check_study.main(["--grid", "main"]) == 1
    assert capsys.readouterr().err == f"error: {TABLE}: not found; `make study` makes it\n"
