"""The files that the explorer is made of, read and held to each other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mnist_vae.explorer.content import Model
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.maps import MAPS
from mnist_vae.files.priors import read_priors
from mnist_vae.files.split import Split
from mnist_vae.latents.priors import of_arrays
from mnist_vae.nets import weights


def models(names: Iterable[str], test: Split) -> list[Model]:
    """What the stages before made of each model and the test images.

    Models without convolutions are left out: the page does not compute their layers. Raises
    InputError, naming the file, for one that is missing, damaged, of another model or of other
    weights.
    """
    found = (_model(name, test) for name in names)
    return [model for model in found if model.settings.architecture == "conv"]


def _model(name: str, test: Split) -> Model:
    network, facts = weights.load(Path(f"models/{name}.safetensors"), name)
    whose = {"model": name, "weights": weights.digest(network)}
    sizes = {"N": len(test.images), "D": facts.settings.latent_dim}
    variational = ["logvar"] if network.variational else []
    latents, _ = LATENTS.read(
        Path(f"data/latents/{name}.safetensors"), needs=variational, sizes=sizes, **whose
    )
    maps, laid = MAPS.read(
        Path(f"data/maps/{name}.safetensors"), sizes={"N": len(test.images)}, model=name
    )
    fitted, _ = read_priors(
        Path(f"data/priors/{name}.safetensors"),
        dim=network.latent_dim,
        classes=len(test.classes),
        **whose,
    )
    return Model(name, facts.settings, network, latents, maps, laid.method, of_arrays(fitted))
