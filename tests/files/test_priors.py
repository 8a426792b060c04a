"""Files of priors: what can be drawn from comes back, and what cannot is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.models import CLASSES, write_model, write_priors

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.priors import read_priors
from mnist_vae.files.store import Arrays


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Priors of a model of three dimensions and three classes."""
    path = tmp_path / "priors"
    write_priors(path, write_model(tmp_path / "model"))
    return path


def test_priors_come_back(path: Path) -> None:
    arrays, facts = read_priors(path, dim=3, classes=len(CLASSES), model="small")
    assert facts.components == 2
    assert arrays["classes.weights"].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda arrays: arrays["mixture.weights"].fill(0.6),
            "mixture.weights are no probabilities",
        ),
        (
            lambda arrays: arrays["gaussian.weights"].fill(0),
            "gaussian.weights are no probabilities",
        ),
        (
            lambda arrays: arrays["mixture.weights"].__setitem__(slice(None), [1.5, -0.5]),
            "mixture.weights are no probabilities",
        ),
        (
            lambda arrays: arrays["classes.labels"].fill(2),
            "classes.labels are not those of 3 classes",
        ),
        (
            lambda arrays: arrays["classes.labels"].__setitem__(0, 3),
            "classes.labels are not those of 3 classes",
        ),
        (
            lambda arrays: arrays["mixture.means"].fill(np.nan),
            "mixture.means holds a number that is not finite",
        ),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(
    path: Path, change: Callable[[Arrays], object], message: str
) -> None:
    arrays, facts = store.read_arrays(path, "priors")
    change(arrays)
    store.write_arrays(path, "priors", arrays, **facts)
    with pytest.raises(InputError) as error:
        read_priors(path, dim=3, classes=3)
    assert str(error.value).startswith(f"{path}: {message}")


def test_priors_of_other_latents_are_refused(path: Path) -> None:
    with pytest.raises(InputError, match=r"gaussian\.means is float64 \(1, 3\), must be"):
        read_priors(path, dim=4, classes=3)
    with pytest.raises(InputError, match=r"made for model 'small', must be 'large'"):
        read_priors(path, dim=3, classes=3, model="large")
