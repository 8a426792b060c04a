"""Training on images small enough to learn in a second, and the schedule in closed form."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.train import loop, objective
from mnist_vae.train.loop import Epoch, Recipe

VARIATIONAL = ModelSettings(kind="vae", latent_dim=4, kl_weight=0.01)
PLAIN = ModelSettings(kind="ae", latent_dim=4)
RECIPE = Recipe(
    epochs=2,
    batch_size=64,
    learning_rate=0.01,
    schedule="triangular",
    initialization="looks_linear",
    precision="float32",
)
STILL = dataclasses.replace(RECIPE, epochs=1, learning_rate=1e-30)


@pytest.fixture(scope="module")
def images(blobs: np.ndarray) -> Tensor:
    """The blobs as training takes them, uint8 [256, 1, 28, 28]."""
    return torch.from_numpy(blobs.copy())[:, None]


def train(
    images: Tensor, settings: ModelSettings = VARIATIONAL, recipe: Recipe = RECIPE, seed: int = 0
) -> tuple[VAE, list[Epoch]]:
    """The model trained, and its epochs."""
    network = build(settings)
    return network, list(loop.train(network, settings, recipe, images, seed=seed))


def same(a: VAE, b: VAE) -> bool:
    """Whether every bit of the parameters is the same."""
    ours, theirs = a.state_dict(), b.state_dict()
    return all(torch.equal(ours[key], theirs[key]) for key in ours)


# --- Learning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN], ids=["vae", "ae"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_more_than_the_mean_image(
    images: Tensor, settings: ModelSettings, precision: Any
) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=8, batch_size=32, precision=precision)
    network, epochs = train(images, settings, recipe)
    x = images.float() / 255
    level = objective.squared_error(x, x.mean(0).expand_as(x)).mean().item()
    assert epochs[-1].squared_error < level / 3
    assert [epoch.epoch for epoch in epochs] == list(range(1, 9))
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_bfloat16_is_close_to_float32_at_first(images: Tensor) -> None:
    single, half = (
        train(images, recipe=dataclasses.replace(RECIPE, epochs=1, precision=precision))[1][0]
        for precision in ("float32", "bfloat16")
    )
    assert half.loss == pytest.approx(single.loss, rel=0.02)
    assert half.kl == pytest.approx(single.kl, rel=0.05)


def test_an_autoencoder_has_no_kl(images: Tensor) -> None:
    for epoch in train(images, PLAIN)[1]:
        assert epoch.kl is None
        assert epoch.loss == epoch.squared_error


def test_a_larger_kl_weight_makes_a_smaller_kl(images: Tensor) -> None:
    recipe = dataclasses.replace(RECIPE, epochs=6)
    light, heavy = (
        train(images, dataclasses.replace(VARIATIONAL, kl_weight=weight), recipe)[1][-1].kl
        for weight in (0.01, 10.0)
    )
    assert heavy < light / 2


def test_it_takes_adams_steps(images: Tensor) -> None:
    # The whole set in one batch, and no noise: what is left is Adam on the mean of the errors.
    recipe = dataclasses.replace(
        RECIPE, epochs=4, batch_size=256, schedule="constant", learning_rate=0.003, beta2=0.9
    )
    epochs = train(images, PLAIN, recipe)[1]
    network, _ = train(images, PLAIN, dataclasses.replace(STILL, batch_size=256))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003, betas=(0.9, 0.9))
    x = images.float() / 255
    for epoch in epochs:
        loss = (network(x, torch.zeros(256, 4)).logits.sigmoid() - x).square().sum() / 256
        assert epoch.loss == pytest.approx(loss.item(), rel=1e-4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_a_short_last_batch_is_a_step_like_any_other(images: Tensor) -> None:
    # Of one image alone every batch has the same mean gradient, whatever its size.
    recipe = dataclasses.replace(RECIPE, epochs=4, batch_size=4, beta2=0.9)
    full, short = (
        train(images[:1].expand(count, -1, -1, -1), PLAIN, recipe)[0] for count in (8, 5)
    )
    x = images[:1].float() / 255
    a, b = (network.decode(network.encode(x)[0]) for network in (full, short))
    torch.testing.assert_close(a, b, atol=1e-3, rtol=0)


# --- What an epoch says ---------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 100, 255, 256, 1000])
def test_every_image_counts_once_in_an_epochs_means(images: Tensor, batch_size: int) -> None:
    few = images[:20] if batch_size == 1 else images
    network, (epoch,) = train(few, PLAIN, dataclasses.replace(STILL, batch_size=batch_size))
    x = few.float() / 255
    error = objective.squared_error(x, network.decode(network.encode(x)[0]))
    assert epoch.squared_error == pytest.approx(error.mean().item(), rel=1e-5)


def test_the_means_of_a_variational_model(images: Tensor) -> None:
    network, (epoch,) = train(images, VARIATIONAL, dataclasses.replace(STILL, batch_size=100))
    mean, logvar = network.encode(images.float() / 255)
    assert logvar is not None
    kl = objective.kl_divergence(mean, logvar).mean().item()
    assert epoch.kl == pytest.approx(kl, rel=1e-5)
    assert epoch.loss == pytest.approx(epoch.squared_error + 0.01 * kl, rel=1e-5)


def test_epochs_come_one_at_a_time(images: Tensor) -> None:
    network = build(VARIATIONAL)
    epochs = loop.train(network, VARIATIONAL, RECIPE, images, seed=0)
    assert next(epochs).epoch == 1
    weight = network.mean.weight.detach().clone()
    assert next(epochs).epoch == 2
    assert not torch.equal(network.mean.weight, weight)
    assert next(epochs, None) is None


# --- Seeds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_seed_is_one_training(images: Tensor, precision: Any) -> None:
    recipe = dataclasses.replace(RECIPE, precision=precision)
    torch.manual_seed(1)
    first, first_epochs = train(images, recipe=recipe, seed=7)
    torch.manual_seed(2)
    again, again_epochs = train(images, recipe=recipe, seed=7)
    assert first_epochs == again_epochs
    assert same(first, again)


def test_a_seed_decides_the_initialization(images: Tensor) -> None:
    one, two = (train(images, recipe=STILL, seed=seed)[0].mean.weight for seed in (0, 1))
    assert (one - two).abs().max() > 0.01


def test_every_epoch_draws_its_own_noise(images: Tensor) -> None:
    _, (first, second) = train(images, recipe=dataclasses.replace(STILL, epochs=2))
    assert first.kl == pytest.approx(second.kl, rel=1e-6)  # the parameters did not move
    assert first.squared_error != pytest.approx(second.squared_error, rel=1e-6)


@pytest.mark.parametrize("seed", [1, 2**32 - 1])
def test_another_seed_is_another_training(images: Tensor, seed: int) -> None:
    first, first_epochs = train(images, seed=0)
    other, other_epochs = train(images, seed=seed)
    assert first_epochs != other_epochs
    assert not same(first, other)


def test_the_global_generator_is_left_alone(images: Tensor) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    network = build(VARIATIONAL)
    state = torch.get_rng_state()
    list(loop.train(network, VARIATIONAL, RECIPE, images, seed=0))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), expected)


def test_what_the_parameters_were_before_does_not_matter(images: Tensor) -> None:
    first, _ = train(images)
    network = build(VARIATIONAL)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 3.0)
    list(loop.train(network, VARIATIONAL, RECIPE, images, seed=0))
    assert same(first, network)


# --- The schedule ---------------------------------------------------------------------------------


def test_a_scale_is_a_factor_on_the_rate(images: Tensor) -> None:
    scaled, _ = train(images, dataclasses.replace(VARIATIONAL, learning_rate_scale=0.5))
    halved, _ = train(images, recipe=dataclasses.replace(RECIPE, learning_rate=0.005))
    whole, _ = train(images)
    assert same(scaled, halved)
    assert not same(scaled, whole)


@pytest.mark.parametrize(("latent_dim", "peak"), [(1, 0.003), (2, 0.003), (3, 0.01)])
def test_narrow_models_may_have_a_rate_of_their_own(latent_dim: int, peak: float) -> None:
    recipe = dataclasses.replace(RECIPE, learning_rate_2d=0.003)
    model = dataclasses.replace(VARIATIONAL, latent_dim=latent_dim)
    assert recipe.peak(model) == peak
    assert dataclasses.replace(recipe, learning_rate_2d=None).peak(model) == 0.01
    assert recipe.peak(dataclasses.replace(model, learning_rate_scale=0.5)) == peak / 2


@pytest.mark.parametrize("behind", [0.001, 0.5, 0.999])
def test_a_constant_rate(behind: float) -> None:
    assert dataclasses.replace(RECIPE, schedule="constant").rate(behind) == 1


@pytest.mark.parametrize(
    ("warmup", "rates"),
    [
        (0.5, [0.25, 0.5, 1, 0.5, 0.25]),
        (0.25, [0.5, 1, 2 / 3, 1 / 3, 1 / 6]),
        (0.0, [0.875, 0.75, 0.5, 0.25, 0.125]),
        (1.0, [0.125, 0.25, 0.5, 0.75, 0.875]),
    ],
)
def test_a_triangular_rate(warmup: float, rates: list[float]) -> None:
    recipe = dataclasses.replace(RECIPE, warmup=warmup)
    found = [recipe.rate(behind) for behind in (0.125, 0.25, 0.5, 0.75, 0.875)]
    assert found == pytest.approx(rates)


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
    recipe = dataclasses.replace(RECIPE, epochs=epochs, batch_size=96, last_batch_size=last)
    assert [recipe.batch(epoch) for epoch in range(1, epochs + 1)] == sizes


def test_a_larger_last_batch_changes_later_epochs_only(images: Tensor) -> None:
    constant, growing = (
        train(images, PLAIN, dataclasses.replace(RECIPE, epochs=2, last_batch_size=last))[1]
        for last in (None, 2 * RECIPE.batch_size)
    )
    assert constant[0] == growing[0]
    assert constant[1] != growing[1]


@pytest.mark.parametrize(
    ("precision", "there", "dtype"),
    [
        ("float32", True, torch.float32),
        ("bfloat16", True, torch.bfloat16),
        ("bfloat16", False, torch.float32),
    ],
)
def test_bfloat16_is_only_computed_in_where_the_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch, precision: str, there: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(loop.devices, "has_bfloat16", lambda _: there)
    recipe = dataclasses.replace(RECIPE, precision=precision)
    assert loop.pick_dtype(recipe, torch.device("cpu")) == dtype


# --- What cannot be trained -----------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_epoch(images: Tensor) -> None:
    recipe = dataclasses.replace(RECIPE, learning_rate=10.0)
    with pytest.raises(InputError, match=r"the loss became (nan|inf) in epoch 1: lower"):
        train(images, dataclasses.replace(VARIATIONAL, learning_rate_scale=100.0), recipe)


VALID = {
    "epochs": 1,
    "batch_size": 60_000,
    "learning_rate": 10,
    "schedule": "constant",
    "initialization": "pytorch",
    "precision": "bfloat16",
}


@pytest.mark.parametrize(
    "change", [{}, {"warmup": 0}, {"warmup": 1, "beta2": 0}, {"schedule": "triangular"}]
)
def test_recipes(change: dict[str, Any]) -> None:
    recipe = params.check(VALID | change, Recipe, "recipes.x")
    assert (
        dataclasses.asdict(recipe)
        == {
            "last_batch_size": None,
            "optimizer": "adam",
            "learning_rate_2d": None,
            "warmup": 0.2,
            "beta2": 0.999,
        }
        | VALID
        | change
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "recipes.x.epochs: found 0, must be from 1 to 100000"),
        ({"epochs": 2.5}, "recipes.x.epochs: found 2.5, must be a whole number"),
        ({"batch_size": 0}, "recipes.x.batch_size: found 0, must be from 1 to 60000"),
        ({"batch_size": 60_001}, "recipes.x.batch_size: found 60001"),
        ({"learning_rate": 0}, "recipes.x.learning_rate: found 0.0, must be above 0 to 10"),
        ({"learning_rate": 11}, "recipes.x.learning_rate: found 11.0"),
        ({"learning_rate": "1e-3"}, "recipes.x.learning_rate: found '1e-3'"),
        ({"schedule": "cosine"}, "recipes.x.schedule: found 'cosine'"),
        ({"warmup": 1.1}, "recipes.x.warmup: found 1.1, must be from 0 to 1"),
        ({"beta2": 1}, "recipes.x.beta2: found 1.0"),
        ({"beta2": -0.1}, "recipes.x.beta2: found -0.1"),
        ({"initialization": "zeros"}, "recipes.x.initialization: found 'zeros'"),
        ({"precision": "float16"}, "recipes.x.precision: found 'float16'"),
        ({"lr": 0.1}, "recipes.x.lr: unknown key"),
    ],
)
def test_what_is_no_recipe(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(VALID | change, Recipe, "recipes.x")
    assert str(error.value).startswith(message)
