"""The classifier as a function of its weights, and what it makes of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.networks import mix_precision
from support.project import images_of
from torch.nn import functional as F

from mnist_vae.errors import InputError
from mnist_vae.nets import devices
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.nets.initialize import layers_of

IMAGES = images_of("test")["images"][:50]
PIXELS = torch.from_numpy(IMAGES) / 255


@pytest.fixture
def network() -> Classifier:
    """One that has learned nothing, but tells images apart."""
    torch.manual_seed(0)
    network = Classifier()
    with torch.no_grad():
        for layer in layers_of(network):
            layer.weight.mul_(3)
    return network


def test_it_is_three_convolutions_and_a_linear_layer(network: Classifier) -> None:
    first, first_bias, second, second_bias, third, third_bias, last, last_bias = (
        parameter.double() for parameter in network.parameters()
    )
    x = F.conv2d(PIXELS.double(), first, first_bias, stride=2, padding=1).clamp(min=0)
    x = F.conv2d(x, second, second_bias, stride=2, padding=1).clamp(min=0)
    features = torch.einsum("bchw,fchw->bf", x, third).add(third_bias).clamp(min=0)
    network.double()
    torch.testing.assert_close(network.features(PIXELS), features)
    torch.testing.assert_close(network(PIXELS), features @ last.T + last_bias)
    assert sum(parameter.numel() for parameter in network.parameters()) == 206_922


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 36, 64, 132])
@pytest.mark.parametrize("classes", [2, 100])
def test_it_takes_any_images_and_classes(size: int, channels: int, classes: int) -> None:
    network = Classifier(classes, image_size=size, channels=channels)
    images = np.random.default_rng(0).integers(0, 256, (3, channels, size, size), np.uint8)
    features, labels, confidence = classify(network, images)
    assert features.shape == (3, 128)
    assert labels.max() < classes
    assert (confidence >= 1 / classes).all()
    assert network(torch.from_numpy(images) / 255).shape == (3, classes)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_classifying_does_not_depend_on_the_batch(
    monkeypatch: pytest.MonkeyPatch, network: Classifier, batch: int
) -> None:
    monkeypatch.setattr(devices, "BATCH", batch)
    features, digits, confidence = classify(network, IMAGES)
    assert features.shape == (50, 128)
    assert features.dtype == np.float32
    assert features.std() > 0.1
    whole = network.features(PIXELS).detach()
    np.testing.assert_allclose(features, whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(digits, network.head(whole).argmax(1))
    assert digits.dtype == np.int64
    probabilities = network.head(whole).softmax(1).detach()
    np.testing.assert_allclose(confidence, probabilities.max(1).values, rtol=1e-4)
    assert len(set(digits.tolist())) > 1


def test_bytes_and_pixels_are_the_same_to_it(network: Classifier) -> None:
    of_bytes, of_pixels = classify(network, IMAGES), classify(network, IMAGES / np.float32(255))
    np.testing.assert_allclose(of_bytes.features, of_pixels.features, atol=1e-5)
    np.testing.assert_array_equal(of_bytes.labels, of_pixels.labels)


def test_no_images_have_no_digits(network: Classifier) -> None:
    features, digits, confidence = classify(network, IMAGES[:0])
    assert (features.shape, digits.shape, confidence.shape) == ((0, 128), (0,), (0,))


def test_probabilities_that_are_no_numbers_are_refused(network: Classifier) -> None:
    with torch.no_grad():
        network.head.weight.fill_(3e38)  # finite, unlike the logits
    with pytest.raises(InputError, match=r"probabilities that are no numbers.*learning_rate"):
        classify(network, IMAGES)


def test_features_in_bfloat16_are_given_in_float32(network: Classifier) -> None:
    exact = classify(network, IMAGES).features
    mix_precision(network)
    features = classify(network, IMAGES).features
    assert features.dtype == np.float32
    assert 0 < np.abs(features - exact).max() < 0.05 * exact.max()
