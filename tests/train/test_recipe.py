"""Recipes: batches and learning rates in closed form, and what is no recipe."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from support.training import RECIPE, VARIATIONAL

from mnist_vae.errors import InputError
from mnist_vae.settings import check
from mnist_vae.train.recipe import Recipe


@pytest.mark.parametrize(("latent_dim", "peak"), [(1, 0.003), (2, 0.003), (3, 0.01)])
def test_narrow_models_may_have_a_rate_of_their_own(latent_dim: int, peak: float) -> None:
    recipe = replace(RECIPE, learning_rate_2d=0.003)
    model = replace(VARIATIONAL, latent_dim=latent_dim)
    assert recipe.peak(model) == peak
    assert RECIPE.peak(model) == 0.01
    assert recipe.peak(replace(model, learning_rate_scale=0.5)) == peak / 2


@pytest.mark.parametrize("progress", [0, 0.001, 0.5, 0.999, 1])
def test_a_constant_rate(progress: float) -> None:
    assert replace(RECIPE, schedule="constant").rate(progress) == 1


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        (0.5, [0, 0.25, 0.5, 1, 0.5, 0.25, 0]),
        (0.25, [0, 0.5, 1, 2 / 3, 1 / 3, 1 / 6, 0]),
        (0.0, [1, 0.875, 0.75, 0.5, 0.25, 0.125, 0]),
        (1.0, [0, 0.125, 0.25, 0.5, 0.75, 0.875]),
    ],
)
def test_a_triangular_rate(warmup: float, rates: list[float]) -> None:
    recipe = replace(RECIPE, warmup=warmup)
    progress = (0, 0.125, 0.25, 0.5, 0.75, 0.875, 1)
    assert [recipe.rate(p) for p in progress[: len(rates)]] == pytest.approx(rates)


def test_a_step_has_the_rate_of_its_middle() -> None:
    recipe = replace(RECIPE, epochs=2, warmup=0.5)
    assert recipe.rates(1, steps=2) == pytest.approx([0.25, 0.75])
    assert recipe.rates(2, steps=4) == pytest.approx([0.875, 0.625, 0.375, 0.125])


@pytest.mark.parametrize(
    ("epochs", "last", "sizes"),
    [
        (5, 384, [96, 168, 240, 312, 384]),
        (4, 128, [96, 107, 117, 128]),
        (3, None, [96, 96, 96]),
        (3, 32, [96, 64, 32]),
        (1, 384, [96]),
    ],
)
def test_batches_grow_evenly(epochs: int, last: int | None, sizes: list[int]) -> None:
    recipe = replace(RECIPE, epochs=epochs, batch_size=96, last_batch_size=last)
    assert [recipe.batch(epoch) for epoch in range(1, epochs + 1)] == sizes


VALID: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 60_000,
    "learning_rate": 10,
    "schedule": "constant",
    "initialization": "pytorch",
    "precision": "bfloat16",
}
DEFAULTS: dict[str, Any] = {
    "recentre": False,
    "last_batch_size": None,
    "least_images": None,
    "optimizer": "adam",
    "learning_rate_2d": None,
    "warmup": 0.2,
    "beta2": 0.999,
}


@pytest.mark.parametrize(
    "change", [{}, {"warmup": 0}, {"warmup": 1, "beta2": 0.5}, {"schedule": "triangular"}]
)
def test_recipes(change: dict[str, Any]) -> None:
    recipe = check(VALID | change, Recipe, "recipes.x")
    assert msgspec.to_builtins(recipe) == DEFAULTS | VALID | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: found 0, must be from 1 to 100000"),
        ({"batch_size": 0}, "batch_size: found 0, must be from 1 to 10000000"),
        ({"batch_size": 10_000_001}, "batch_size: found 10000001"),
        ({"last_batch_size": 0}, "last_batch_size: found 0"),
        ({"learning_rate": 0}, "learning_rate: found 0.0, must be above 0 to 10"),
        ({"learning_rate": 11}, "learning_rate: found 11.0"),
        ({"schedule": "cosine"}, "schedule: found 'cosine'"),
        ({"warmup": 1.1}, "warmup: found 1.1, must be from 0 to 1"),
        ({"optimizer": "sgd"}, "optimizer: found 'sgd'"),
        ({"beta2": 1}, "beta2: found 1.0"),
        ({"beta2": 0}, "beta2: found 0.0, must be from 0.5 to 0.999999"),  # it would divide 0 by 0
        ({"initialization": "zeros"}, "initialization: found 'zeros'"),
        ({"precision": "float16"}, "precision: found 'float16'"),
    ],
)
def test_what_is_no_recipe(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check(VALID | change, Recipe, "recipes.x")
    assert str(error.value).startswith(f"recipes.x.{message}")


@pytest.mark.parametrize(
    ("least", "images", "epochs"),
    [(None, 10, 4), (1, 10, 4), (40, 10, 4), (41, 10, 5), (1000, 10, 100), (1000, 10**6, 4)],
)
def test_few_images_are_seen_more_often(least: int | None, images: int, epochs: int) -> None:
    recipe = replace(RECIPE, epochs=4, least_images=least).for_images(images)
    assert recipe == replace(RECIPE, epochs=epochs)
    assert recipe.for_images(1) == recipe
