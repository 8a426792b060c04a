"""Pages of the explorer on made-up models, and what a browser computes in them held to torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mnist_vae.explorer import content, page
from mnist_vae.explorer.content import Model
from mnist_vae.explorer.words import words
from mnist_vae.files.split import Split
from mnist_vae.latents import codes, priors
from mnist_vae.latents.maps import pca
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from support.chromium import Tab
from support.networks import fresh

POINTS = 60


def make_split(
    classes: Sequence[str] = ("a", "b"), size: int = 8, channels: int = 1, dataset: str = "shapes"
) -> Split:
    """Random test images, in turn of each class."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (POINTS, channels, size, size), np.uint8)
    labels = (np.arange(POINTS) % len(classes)).astype(np.uint8) if classes else None
    return Split(images, labels, dataset, tuple(classes))


def make_model(test: Split, name: str, dim: int, kind: str = "vae") -> Model:
    """An untrained model with all that stages make of it."""
    settings = (
        ModelSettings(kind="vae", latent_dim=dim, kl_weight=1.0)
        if kind == "vae"
        else ModelSettings(kind="ae", latent_dim=dim)
    )
    network = fresh(build(settings, image_size=test.image_size, channels=test.channels)).eval()
    posterior = codes.encode(network, test.images)
    latents = {"mean": posterior.mean}
    if posterior.logvar is not None:
        latents["logvar"] = posterior.logvar
    plane = np.pad(posterior.mean, ((0, 0), (0, 1))) if dim == 1 else posterior.mean
    axes = pca(plane).project(plane).astype(np.float32)
    fitted = {"gaussian": priors.gaussian(posterior.mean)}
    if test.labels is not None:
        fitted["classes"] = priors.by_class(posterior.mean, test.labels, 2, seed=0)
    maps = {"map": plane[:, :2].copy(), "pca": axes}
    return Model(name, settings, network, latents, maps, "t-SNE", fitted)


def write_page(path: Path, test: Split, models: Sequence[Model]) -> Path:
    """The page of these models, with an untrained classifier where there are classes."""
    eyes = None
    if test.classes:
        torch.manual_seed(0)
        eyes = Classifier(len(test.classes), image_size=test.image_size, channels=test.channels)
    colours = ["#3f90da", "#bd1f01", "#832db6", "#717581"][: len(test.classes)]
    whole = content.compose(test, models, eyes, colours)
    text = words(test, models, whole["points"]["count"], content.errors(test, models))
    path.write_text(page.render(whole, text), encoding="utf-8")
    return path


def apart(tab: Tab, name: str, network: VAE, images: np.ndarray) -> tuple[float, float]:
    """The largest difference from torch of pixels of 100 latents, and of means of images."""
    rng = np.random.default_rng(1)
    shape = network.channels, network.image_size, network.image_size
    posterior = codes.encode(network, images)
    scale = posterior.mean.std(0) + 1e-3
    latents = posterior.mean.mean(0) + scale * rng.standard_normal((100, network.latent_dim))
    latents = latents.astype(np.float32)
    model = f"explorer.models.find((m) => m.name === {json.dumps(name)})"
    decoded = tab.evaluate(
        f"{json.dumps(latents.tolist())}.map((z) => "
        f"Array.from({model}.decode(Float32Array.from(z))))"
    )
    pixels = np.reshape(decoded, (100, shape[1], shape[2], shape[0])).transpose(0, 3, 1, 2)
    flat = (images / np.float32(255)).transpose(0, 2, 3, 1).reshape(len(images), -1)
    means = tab.evaluate(
        f"{json.dumps(flat.tolist())}.map((x) => "
        f"Array.from({model}.encode(Float32Array.from(x)).mean))"
    )
    return (
        float(np.abs(pixels - codes.decode(network, latents)).max()),
        float(np.abs(np.array(means) - posterior.mean).max()),
    )
