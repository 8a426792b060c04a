"""What a model makes of its priors: which images are measured, and which are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support.networks import LABELS, make_network

from mnist_vae import seeds
from mnist_vae.files.samples import SAMPLES
from mnist_vae.latents import priors
from mnist_vae.latents.codes import decode, encode, to_bytes
from mnist_vae.latents.priors import Prior, PriorSettings
from mnist_vae.measure import quality, sampling
from mnist_vae.measure.neighbours import nearest, too_near
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.vae import VAE


@pytest.fixture
def network() -> VAE:
    return make_network()


@pytest.fixture
def images(blobs: np.ndarray) -> np.ndarray:
    return blobs.copy()


def fitted(network: VAE, images: np.ndarray, labels: np.ndarray | None) -> dict[str, Prior]:
    posterior, settings = encode(network, images), PriorSettings(components=2)
    standard = {"standard": priors.standard(network.latent_dim)}
    return standard | priors.fit(posterior, labels, settings, seed=0)


def measure(
    network: VAE, images: np.ndarray, labels: np.ndarray | None = LABELS, seed: int = 0
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    torch.manual_seed(0)
    classifier = None if labels is None else Classifier().eval()
    real, _ = quality.of_real(classifier, images[:128], images[128:], np.random.default_rng(0))
    some = None if labels is None else labels[:128]
    return sampling.measure(
        network,
        classifier,
        fitted(network, images, labels),
        real,
        encode(network, images[:128]).mean,
        some,
        images[128:],
        seed=seed,
    )


BY_CLASSIFIER = {"frechet", "entropy", "confident", "precision", "recall"}
NEAR = {"too_near", "too_near_rebuilt"}


def test_every_prior_is_measured_and_shown(network: VAE, images: np.ndarray) -> None:
    numbers, shown = measure(network, images)
    asked = BY_CLASSIFIER | {"as_asked"}
    assert {name: set(found) for name, found in numbers.items()} == {
        "reconstructions": asked | {"too_near"},
        "standard": BY_CLASSIFIER | NEAR,
        "gaussian": BY_CLASSIFIER | NEAR,
        "mixture": BY_CLASSIFIER | NEAR,
        "classes": asked | NEAR,
    }
    declared = set(SAMPLES.arrays).union(*SAMPLES.optional)
    assert shown.keys() == declared - {"real", "class_digits_read"}  # these the stage adds
    for name in ("standard", "gaussian", "mixture", "classes"):
        assert shown[name].shape == (100, 1, 28, 28)
    assert shown["rows"].shape == (10, 10, 1, 28, 28)


def test_without_labels_only_pixels_are_measured(network: VAE, images: np.ndarray) -> None:
    numbers, shown = measure(network, images, None)
    assert {name: set(found) for name, found in numbers.items()} == {
        "reconstructions": {"too_near"},
        "standard": NEAR,
        "gaussian": NEAR,
        "mixture": NEAR,
    }
    assert not {"classes", "rows"} & shown.keys()


def test_samples_are_decoded_draws_and_stand_beside_the_nearest_training_images(
    network: VAE, images: np.ndarray
) -> None:
    numbers, shown = measure(network, images)
    prior = fitted(network, images, LABELS)["classes"]
    drawn = priors.draw(prior, 128, seeds.stream(0, "samples of classes"))
    decoded = decode(network, drawn.latents)
    np.testing.assert_array_equal(shown["classes"], to_bytes(decoded[:100]))
    np.testing.assert_array_equal(shown["made"], shown["classes"][:10])
    found = nearest(decoded, images[128:])
    np.testing.assert_array_equal(shown["nearest"], images[128:][found.indices[:10]])
    stream = seeds.stream(0, "rows of classes")
    rows = [priors.draw(prior, 10, stream, label).latents for label in range(10)]
    np.testing.assert_array_equal(shown["rows"], to_bytes(decode(network, np.stack(rows))))
    real = nearest(images[:128], images[128:]).distances
    assert numbers["classes"]["too_near"] == too_near(found.distances, real)


def test_a_seed_decides_what_is_drawn_and_nothing_else(network: VAE, images: np.ndarray) -> None:
    (first, shown), (again, _), (other, others) = (
        measure(network, images, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first["reconstructions"] == other["reconstructions"]
    assert all((shown[name] != others[name]).any() for name in ("classes", "rows", "standard"))
