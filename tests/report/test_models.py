"""What each model is, in a line, and the order in which models compare."""

from __future__ import annotations

from typing import Any

import pytest
from support.pages import MODELS

from mnist_vae.report.models import describe, ordered, short


def test_models_of_as_many_dimensions_stand_together_autoencoders_first() -> None:
    assert [*ordered(MODELS)] == ["ae16", "vae16", "sigma16", "ae2", "vae2"]
    again = {"b": MODELS["vae2"], "none": None, "a": MODELS["vae2"]}
    assert [*ordered(again)] == ["b", "a", "none"]


@pytest.mark.parametrize(
    ("model", "text", "few"),
    [
        (
            MODELS["vae16"],
            "the notebook's VAE, of 16 latent dimensions, KL weight 1/8,192",
            "VAE, 16-d",
        ),
        ({"kind": "ae", "latent_dim": 1}, "a plain autoencoder of 1 latent dimension", "auto"),
        (
            MODELS["sigma16"] | {"seed": 3},
            "a VAE of 16 latent dimensions, with a calibrated decoder: the variance of its "
            "Gaussian is learned, KL weight 1, seed 3",
            "calibrated VAE, 16-d",
        ),
        (
            {"kind": "vae", "latent_dim": 8, "likelihood": "bernoulli", "kl_weight": 0.3},
            "a VAE of 8 latent dimensions, with a Bernoulli decoder, for black and white, KL "
            "weight 0.3",
            "Bernoulli VAE, 8-d",
        ),
    ],
)
def test_a_model_is_described_by_its_settings(model: dict[str, Any], text: str, few: str) -> None:
    assert describe(model) == text
    assert short(model).startswith(few)
