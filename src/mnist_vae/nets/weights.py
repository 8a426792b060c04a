"""How trained models are kept: weights as safetensors, with what rebuilds the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import torch
from msgspec import Meta
from torch import nn

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.files.store import Arrays
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import Seed, Settings, check


class ModelFacts(Settings, frozen=True, kw_only=True):
    """What stands beside the weights of a model."""

    model: str
    """Its name in params.yaml."""
    settings: ModelSettings
    seed: Seed
    """Of all that is drawn for this model, here and in later stages."""
    epochs: int
    dataset: str
    """The name of the data set that it was trained on."""
    image_size: int
    """Height and width of its images."""
    channels: Annotated[int, Meta(ge=1, le=3)]
    """1 of grey images, 3 of colour."""
    classes: tuple[str, ...] = ()
    """Names of the data set's classes; none where it has no labels."""
    variance: Annotated[float, Meta(ge=0)]
    """Mean squared error per pixel in its last epoch: that of a calibrated Gaussian decoder."""
    device: str
    """The device and the precision that it was trained in."""
    torch: str
    """The version of torch that it was trained with."""


def save(path: Path, network: VAE, facts: ModelFacts) -> None:
    """Write the weights of a model, with what rebuilds it."""
    store.write_arrays(path, "weights", arrays_of(network), **msgspec.to_builtins(facts))


def load(path: Path, name: str | None = None) -> tuple[VAE, ModelFacts]:
    """Rebuild the model that ``save`` wrote, on the CPU, and the facts about it.

    Raises InputError when the file is damaged, is not the model ``name`` where that is given, or
    does not fit its settings.
    """
    arrays, facts = store.read_arrays(path, "weights", **({"model": name} if name else {}))
    checked = check(facts, ModelFacts, f"{path}: facts")
    try:
        network = build(checked.settings, image_size=checked.image_size, channels=checked.channels)
    except InputError as error:
        raise InputError(f"{path}: {error}{store.AGAIN}") from None
    fill(network, arrays, f"{path}: weights do not fit the model")
    return network, checked


def arrays_of(network: nn.Module) -> Arrays:
    """The weights of a network, by name."""
    return {key: value.detach().cpu().numpy() for key, value in network.state_dict().items()}


def fill(network: nn.Module, arrays: Arrays, problem: str) -> None:
    """Give a network its weights; raises InputError that begins with ``problem``.

    It does so for weights that are missing, of another shape or type, or not finite.
    """
    expected = {key: _form(value) for key, value in arrays_of(network).items()}
    found = {key: _form(value) for key, value in arrays.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise InputError(
                f"{problem}: {key} is {found.get(key, 'missing')}, "
                f"must be {expected.get(key, 'absent')}{store.AGAIN}"
            )
        if not np.isfinite(arrays[key]).all():
            raise InputError(f"{problem}: {key} holds a number that is not finite{store.AGAIN}")
    network.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
    network.eval()


def _form(array: np.ndarray) -> str:
    return f"{array.dtype} {array.shape}"


def digest(network: nn.Module) -> str:
    """SHA-256 of the weights of a network, names and shapes included."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays_of(network).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data.cast("B"))
    return digest.hexdigest()
