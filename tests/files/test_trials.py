"""The table of a study: what is written comes back, and nothing else is taken for one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_vae.errors import InputError
from mnist_vae.files import trials

Row: TypeAlias = dict[str, float | str]
ON: Row = {
    **{"dataset": "MNIST", "binarise": "none", "recipe": "fast", "likelihood": "fixed"},
    **{"latent_dim": 2, "seed": 0},
}
AE: Row = ON | {"model": "ae", "kind": "ae", "squared_error": 29.5}
VAE: Row = {
    **ON,
    **{"model": "vae", "kind": "vae", "kl_weight": 0.1},
    **{"squared_error": 29.25, "kl": 25.0},
}


def test_what_does_not_apply_is_empty_there_and_nan_here(tmp_path: Path) -> None:
    path = tmp_path / "a/trainings.csv"
    trials.write(path, [AE, VAE])
    assert path.read_text() == (
        "dataset,binarise,recipe,model,kind,likelihood,latent_dim,kl_weight,seed,squared_error,kl\n"
        "MNIST,none,fast,ae,ae,fixed,2,,0,29.5,\n"
        "MNIST,none,fast,vae,vae,fixed,2,0.1,0,29.25,25.0\n"
    )
    table = trials.read(path)
    assert table["model"].tolist() == ["ae", "vae"]
    assert table["latent_dim"].dtype == np.int64
    np.testing.assert_array_equal(table["kl"], [math.nan, 25.0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_bit_for_bit(number: float) -> None:
    assert trials._column("kl", [repr(number)]).tolist() == [number]


HEAD = "dataset,binarise,recipe,model,kind,likelihood,latent_dim,kl_weight,seed,kl\n"
CELLS = "MNIST,none,fast,ae,ae,fixed"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEAD.encode(),
        b"model,kind,latent_dim,seed\nae,ae,2,0\n",
        f"{HEAD}{CELLS},2,,0,1.0".encode(),  # cut short
        f"{HEAD}{CELLS},two,,0,1.0\n".encode(),
        f"{HEAD}{CELLS},2,,0,nan\n".encode(),
        f"{HEAD}{CELLS},2,,0,1e999\n".encode(),
        f"{HEAD}{CELLS},2\n".encode(),
        f"{HEAD}{CELLS},2,,0,1.0,2.0\n".encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trainings.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"trainings\.csv: damaged, or not the table of a study"):
        trials.read(path)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not found; `make study` makes it"):
        trials.read(tmp_path / "trainings.csv")
