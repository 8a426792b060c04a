"""How a trained model is kept: weights as safetensors, with what rebuilds the model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE


def save(path: Path, model: VAE, name: str, settings: ModelSettings, **about: object) -> None:
    """Write weights as safetensors, with what rebuilds the model and facts about its training."""
    weights = {key: value.detach().cpu().numpy() for key, value in model.state_dict().items()}
    about = {"model": name, "settings": dataclasses.asdict(settings), **about}
    store.write_arrays(path, "weights", weights, **about)


def load(path: Path, name: str) -> tuple[VAE, ModelSettings, dict[str, object]]:
    """Rebuild the model that ``save`` wrote, its settings and the facts about it.

    Raises InputError when the file is damaged, is another model's, or does not fit its settings.
    """
    weights, about = store.read_arrays(path, "weights", model=name)
    settings = params.check(about.get("settings"), ModelSettings, f"{path}: settings")
    model = build(settings)
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: value.shape for key, value in weights.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise InputError(
                f"{path}: weights do not fit the model: {key} is {found.get(key, 'missing')}, "
                f"must be {expected.get(key, 'absent')}"
            )
    model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return model.eval(), settings, about
