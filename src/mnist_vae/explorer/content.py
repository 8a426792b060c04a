"""What the explorer knows: networks, maps, priors and test images, as JSON can hold them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mnist_vae import seeds
from mnist_vae.explorer import layers
from mnist_vae.explorer.pack import pack, small_numbers, sprite
from mnist_vae.files.split import Split
from mnist_vae.files.store import Arrays
from mnist_vae.latents import codes
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.latents.priors import Prior, draw, standard
from mnist_vae.measure.rate import rate
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE

PIXELS = 8_000_000
"""Numbers in the thumbnails of all points: 10,000 images of MNIST."""
NUMBERS = 640_000
"""Numbers in the latents of all points, of the model with the most dimensions."""
FEWER = 3000
"""Points of the small form."""
CHECKED = 100
"""Latents and images on which the error of rounded weights is measured."""


class Model(NamedTuple):
    """What stages made of one model."""

    name: str
    settings: ModelSettings
    network: VAE
    latents: Arrays
    maps: Arrays
    method: str
    """Of the map that is not PCA's."""
    priors: Mapping[str, Prior]
    """Those that were fitted."""


def compose(
    test: Split, models: Sequence[Model], classifier: Classifier | None, colours: Sequence[str]
) -> dict[str, Any]:
    """All that the page's script is given; models in the order in which they compare."""
    ordered = in_order(models)
    points = choose(test.images, max(m.settings.latent_dim for m in models))
    columns = math.isqrt(len(points) - 1) + 1  # of a sheet of thumbnails that is about square
    return {
        **facts(test, colours),
        "points": {
            "of": len(test.images),
            "count": len(points),
            **labels_of(test, points),
            "columns": columns,
            "sprite": sprite(test.images[points], columns),
        },
        "classifier": None if classifier is None else layers.classifier_layers(classifier, 8),
        "models": [of_model(model, points) for model in ordered],
    }


def in_order(models: Sequence[Model]) -> list[Model]:
    """The models with most dimensions first, and of as many autoencoders before VAEs."""
    return sorted(models, key=lambda m: (-m.settings.latent_dim, m.settings.kind != "ae"))


def facts(test: Split, colours: Sequence[str]) -> dict[str, Any]:
    """What the images are."""
    return {
        "dataset": test.dataset,
        "classes": list(test.classes),
        "colours": list(colours),
        "size": test.image_size,
        "channels": test.channels,
    }


def labels_of(test: Split, points: np.ndarray) -> dict[str, str]:
    """The classes of some test images; all of one where they have no labels."""
    labels = np.zeros(len(points)) if test.labels is None else test.labels[points]
    return {"labels": small_numbers(labels)}


def choose(images: np.ndarray, dim: int) -> np.ndarray:
    """Indices of the test images that become points: all, or as many as fit, spread evenly."""
    most = max(1, min(len(images), PIXELS // math.prod(images.shape[1:]), NUMBERS // dim))
    return np.linspace(0, len(images) - 1, most).round().astype(int)


def describe(settings: ModelSettings) -> str:
    """A model in a few words."""
    kind = {
        "fixed": "VAE",
        "gaussian": "VAE with a calibrated decoder",
        "bernoulli": "VAE with a Bernoulli decoder",
    }[settings.likelihood]
    dim = settings.latent_dim
    what = "autoencoder" if settings.kind == "ae" else kind
    return f"{what}, {dim} dimension{'' if dim == 1 else 's'}"


def of_model(model: Model, points: np.ndarray) -> dict[str, Any]:
    """One model: its networks, its latents of the points, and what can be sampled from."""
    network, dim = model.network, model.settings.latent_dim
    mean, logvar = model.latents["mean"], model.latents.get("logvar")
    used = mean.var(0) if logvar is None else rate(mean, logvar)
    own = {} if logvar is None else {"standard": standard(dim)}
    spread = mean.var(0) + (0 if logvar is None else np.exp(logvar).mean(0))
    return {
        **head(model),
        "encoder": layers.encoder_layers(network),
        "mean": layers.head_layers(network.mean),
        "logvar": layers.head_layers(network.logvar),
        "decoder": layers.decoder_layers(network),
        # Of two dimensions they are the map.
        "latents": None if dim == 2 else pack(mean[points].T, 8 if dim > 2 else 16),
        "map": pack(model.maps["map"][points].T),
        "pca": pack(model.maps["pca"][points].T),
        "method": model.method,
        "centre": numbers(mean.mean(0)),
        "spread": numbers(np.sqrt(np.maximum(spread, 1e-12))),
        "order": np.argsort(-used, kind="stable").tolist(),
        "used": numbers(used),
        "priors": [of_prior(name, prior) for name, prior in (own | dict(model.priors)).items()],
    }


def head(model: Model) -> dict[str, Any]:
    """What a model is called, and of which kind it is."""
    return {
        "name": model.name,
        "about": describe(model.settings),
        "kind": model.settings.kind,
        "dim": model.settings.latent_dim,
    }


def of_prior(name: str, prior: Prior) -> dict[str, Any]:
    """A prior: of each component its weight, mean, class, and the triangle of its factor."""
    dim = prior.means.shape[1]
    rows, columns = np.tril_indices(dim)
    count = len(prior.weights)
    labels = {
        "standard": "N(0, I), which the training asks for",
        "gaussian": "a Gaussian, fitted afterwards",
        "mixture": f"a mixture of {count} Gaussian{'' if count == 1 else 's'}",
        "classes": "a mixture for each class",
    }
    return {
        "name": name,
        "label": labels[name],
        "weights": numbers(prior.weights),
        "means": pack(prior.means),
        "factors": pack(prior.factors[:, rows, columns]),
        "labels": None if prior.labels is None else prior.labels.tolist(),
    }


def numbers(array: np.ndarray) -> list[float]:
    """Numbers to six digits, which is more than a page can show."""
    return [float(f"{value:.6g}") for value in np.asarray(array, np.float64)]


def small(test: Split, models: Sequence[Model], colours: Sequence[str]) -> dict[str, Any]:
    """What the small form is given: the decoders of 2-d models, and some points of their planes."""
    flat = [model for model in in_order(models) if model.settings.latent_dim == 2]
    points = np.linspace(0, len(test.images) - 1, min(FEWER, len(test.images))).round().astype(int)
    return {
        **facts(test, colours),
        "points": labels_of(test, points),
        "classifier": None,
        "models": [
            {
                **head(model),
                "decoder": layers.decoder_layers(model.network),
                "map": pack(model.latents["mean"][points].T),
            }
            for model in flat
        ],
    }


class Errors(NamedTuple):
    """The largest difference that rounded weights made."""

    pixel: float
    """Of pixels from 0 to 1 that latents were decoded to."""
    mean: float
    """Of the posterior means of test images."""


def errors(test: Split, models: Sequence[Model], bits: int = 16) -> Errors:
    """What the weights of the page decode and encode otherwise than those of the model's file.

    Latents are drawn from the Gaussian that was fitted to each model, images are the first.
    """
    images = test.images[:CHECKED]
    pixel = mean = 0.0
    for model in models:
        rounded = layers.rounded(model.network, bits)
        prior = model.priors["gaussian"]
        latents = draw(prior, CHECKED, seeds.stream(0, "explorer")).latents
        pixel = max(pixel, _apart(*(codes.decode(n, latents) for n in (model.network, rounded))))
        both: list[Posterior] = [codes.encode(n, images) for n in (model.network, rounded)]
        mean = max(mean, _apart(*(posterior.mean for posterior in both)))
    return Errors(pixel, mean)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())
