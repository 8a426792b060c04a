"""Settings of models: those that make a network, and those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from mnist_vae.errors import InputError
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import check


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "vae", "latent_dim": 16, "kl_weight": 0.001},
        {"kind": "vae", "latent_dim": 1, "kl_weight": 0, "likelihood": "bernoulli"},
        {"kind": "vae", "latent_dim": 1, "kl_weight": 1e-12},
        {"kind": "vae", "latent_dim": 1, "kl_weight": 1e6},
        {"kind": "ae", "latent_dim": 512, "seed": 0},
        {"kind": "ae", "latent_dim": 2, "seed": 3, "learning_rate_scale": 0.5},
        {"kind": "vae", "latent_dim": 5, "kl_weight": 1, "architecture": "mlp"},
        {"kind": "ae", "latent_dim": 5, "architecture": "mlp", "widths": [9]},
    ],
)
def test_settings_that_make_a_model(settings: dict[str, Any]) -> None:
    checked = check(settings, ModelSettings, "models.x")
    network = build(checked)
    assert network.latent_dim == settings["latent_dim"]
    assert network.variational == (settings["kind"] == "vae")
    assert checked.pick_seed(7) == settings.get("seed", 7)
    assert checked.likelihood == settings.get("likelihood", "fixed")
    assert isinstance(network, MLP) == (settings.get("architecture") == "mlp")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "gan"}, ".kind: found 'gan', must be one of vae, ae"),
        ({"latent_dim": 0}, ".latent_dim: found 0, must be from 1 to 512"),
        ({"latent_dim": 513}, ".latent_dim: found 513, must be from 1 to 512"),
        ({"architecture": "rnn"}, ".architecture: found 'rnn', must be one of conv, mlp"),
        ({"likelihood": "t"}, ".likelihood: found 't', must be one of fixed, gaussian, bernoulli"),
        ({"kl_weight": None}, ": a model of kind vae needs a kl_weight"),
        ({"kind": "ae"}, ": a model of kind ae has no KL: leave out kl_weight"),
        ({"kl_weight": -1}, ".kl_weight: found -1.0, must be from 0 to 1000000"),
        ({"kl_weight": 1e300}, ".kl_weight: found 1e+300, must be from 0 to 1000000"),
        ({"kl_weight": 1e-300}, ": kl_weight is 1e-300, must be 0 or at least 1e-12"),
        ({"seed": -1}, ".seed: found -1"),
        ({"learning_rate_scale": 0}, ".learning_rate_scale: found 0.0"),
    ],
)
def test_settings_that_make_none(change: dict[str, Any], message: str) -> None:
    settings = {"kind": "vae", "latent_dim": 2, "kl_weight": 1.0} | change
    with pytest.raises(InputError) as error:
        check(settings, ModelSettings, "models.x")
    assert str(error.value).startswith(f"models.x{message}")


def test_widths_have_to_fit_the_images() -> None:
    settings = check({"kind": "ae", "latent_dim": 2, "widths": [4, 8, 16]}, ModelSettings, "m")
    assert build(settings, image_size=32, channels=3).encoder[0].out_channels == 4
    with pytest.raises(InputError, match="the model does not fit the images: widths has 3 numbers"):
        build(settings, image_size=64, channels=3)
    none = ModelSettings(kind="ae", latent_dim=2, architecture="mlp", widths=())
    with pytest.raises(InputError, match="must have one for each hidden layer"):
        build(none)


def test_settings_without_a_latent_dimension() -> None:
    with pytest.raises(InputError, match=r"^models\.x\.latent_dim: missing"):
        check({"kind": "ae"}, ModelSettings, "models.x")
