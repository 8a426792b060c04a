"""The models of a page: in which order they compare, and what each is, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_vae.report.tables import show


def ordered(models: Mapping[str, Any]) -> dict[str, Any]:
    """By dimensions, the most first; of as many, autoencoders first; else as they come."""

    def place(name: str) -> tuple[int, bool]:
        settings = _settings(models[name])
        dims = settings.get("latent_dim")
        return (-dims if isinstance(dims, int) else 0), settings.get("kind") != "ae"

    return {name: models[name] for name in sorted(models, key=place)}


def describe(model: object) -> str:
    """What a model is, from its settings in params.yaml."""
    settings = _settings(model)
    dims, weight = settings.get("latent_dim"), settings.get("kl_weight")
    size = f"{dims} latent dimension{'' if dims == 1 else 's'}"
    parts = [f"a plain autoencoder of {size}"]
    if settings.get("kind") == "vae":
        parts = [f"a VAE of {size}"]
        likelihood = settings.get("likelihood", "fixed")
        if likelihood == "gaussian":
            parts.append("with a calibrated decoder: the variance of its Gaussian is learned")
        elif likelihood == "bernoulli":
            parts.append("with a Bernoulli decoder, for black and white")
        if isinstance(weight, int | float) and isinstance(dims, int):
            if likelihood == "fixed" and weight * 512 * dims == 1:
                parts[0] = f"the notebook's VAE, of {size}"
            parts.append(f"KL weight {_weight(weight)}")
    others = {"widths": "widths", "learning_rate_scale": "learning rate times", "seed": "seed"}
    parts += [f"{text} {settings[key]}" for key, text in others.items() if key in settings]
    return ", ".join(parts)


def short(model: object) -> str:
    """What a model is, in two or three words, for a caption."""
    settings = _settings(model)
    kind = "VAE" if settings.get("kind") == "vae" else "autoencoder"
    decoders = {"gaussian": "calibrated ", "bernoulli": "Bernoulli "}
    decoder = decoders.get(settings.get("likelihood", ""), "")
    return f"{decoder}{kind}, {settings.get('latent_dim')}-d"


def _weight(weight: float) -> str:
    """A KL weight as a person writes it: 1/8,192, 1 or 0.3."""
    if 0 < weight < 1 and abs(1 / weight - round(1 / weight)) < 1e-9:
        return f"1/{round(1 / weight):,}"
    return f"{weight:g}" if weight >= 1e-4 or not weight else show(weight)


def _settings(model: object) -> Mapping[str, Any]:
    return model if isinstance(model, Mapping) else {}
