"""Grids: what they train, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from support.project import ROOT

from mnist_vae.errors import InputError
from mnist_vae.nets.model import ModelSettings
from mnist_vae.settings import check, read_params
from mnist_vae.study.grid import Grid, StudyModel, trials

GRID: dict[str, Any] = {
    "recipe": "fast",
    "dims": [2, 16],
    "seeds": [0, 3],
    "models": {"ae": {"kind": "ae"}, "vae": {"kind": "vae", "mean_kl_weight": 1 / 512}},
}


def test_a_grid_is_every_model_at_every_dimension_from_every_seed() -> None:
    listed = trials(check(GRID, Grid, "grid"))
    assert [trial.name for trial in listed] == [
        f"{model}-{dims}d-seed{seed}"
        for model in ("ae", "vae")
        for dims in (2, 16)
        for seed in (0, 3)
    ]
    assert listed[0].settings == ModelSettings(kind="ae", latent_dim=2)


@pytest.mark.parametrize("dims", [2, 16])
def test_a_weight_of_the_mean_kl_is_the_notebooks(dims: int) -> None:
    """Those that params.yaml gives to its models."""
    (model,) = read_params((f"models.vae{dims}", ModelSettings), path=ROOT / "params.yaml")
    assert StudyModel(kind="vae", mean_kl_weight=1 / 512).at(dims) == model


def test_the_grids_of_the_project_share_their_seeds_and_have_their_size() -> None:
    (grids,) = read_params(("study.grids", dict[str, Grid]), path=ROOT / "params.yaml")
    assert {name: len(trials(grid)) for name, grid in grids.items()} == {
        "main": 3 * 7 * 5,
        "beta": 6 * 2 * 3,
        "notebook": 2 * 2 * 3,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": []}, "grid: dims: found none, must be at least one"),
        ({"seeds": [1, 2, 1]}, "grid: seeds: found one of them twice"),
        ({"models": {}}, "grid: models: found none"),
        ({"dims": [0]}, "grid.dims[0]: found 0, must be from 1 to 512"),
        ({"seeds": [-1]}, "grid.seeds[0]: found -1, must be"),
        ({"models": {"a/b": {"kind": "ae"}}}, "grid: models: found 'a/b', must be letters"),
        (
            {"models": {"m": {"kind": "vae"}}},
            "grid.models.m: a model of kind vae needs",
        ),
        (
            {"models": {"m": {"kind": "ae", "kl_weight": 1}}},
            "grid.models.m: a model of kind ae",
        ),
        (
            {"models": {"m": {"kind": "vae", "kl_weight": 1, "mean_kl_weight": 1}}},
            "grid.models.m: kl_weight and mean_kl_weight exclude each other",
        ),
        (
            {"models": {"m": {"kind": "vae", "kl_weight": 1e7}}},
            "grid.models.m.kl_weight: found 10000000.0, must be from 0 to 1000000",
        ),
        (
            {"models": {"m": {"kind": "vae", "mean_kl_weight": 1e-11}}},
            "grid.models.m: kl_weight is 1.95312e-14, must be 0 or at least 1e-12",
        ),
    ],
)
def test_what_is_no_grid_is_refused_by_its_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check(GRID | change, Grid, "grid")
    assert str(error.value).startswith(message)
