"""Loss curves: what training writes is what figures and measures read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mnist_vae.errors import InputError
from mnist_vae.files import curves

MEANS = {"loss": 90.5, "squared_error": 80.25}


@pytest.mark.parametrize("more", [{}, {"kl": 8.0}], ids=["ae", "vae"])
def test_a_curve_comes_back(tmp_path: Path, more: dict[str, float]) -> None:
    path = tmp_path / "curves" / "model.csv"
    curves.write(path, [(1, MEANS | more), (2, dict.fromkeys(MEANS | more, 0.5))])
    curve = curves.read(path, variational=bool(more), length=2)
    columns = {name: column.tolist() for name, column in curve.items()}
    assert columns == {"epoch": [1, 2]} | {
        name: [value, 0.5] for name, value in (MEANS | more).items()
    }


def test_the_columns_stand_in_one_order(tmp_path: Path) -> None:
    """A training that went on has the means of its first epochs sorted by name."""
    path = tmp_path / "curve.csv"
    means = MEANS | {"kl": 8.0}
    curves.write(path, [(1, dict(sorted(means.items()))), (2, means)])
    assert path.read_text() == "epoch,loss,squared_error,kl\n1,90.5,80.25,8.0\n2,90.5,80.25,8.0\n"


def test_a_curve_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    curves.write(path, [(1, MEANS)])
    with pytest.raises(InputError, match=r"curve\.csv: must be a CSV of numbers in .*, kl;"):
        curves.read(path, variational=True)
    with pytest.raises(InputError, match=r"curve\.csv: found 1 rows, must be 2"):
        curves.read(path, length=2)
