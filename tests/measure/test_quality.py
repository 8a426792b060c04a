"""Images held against real ones: each number is that of the function it is named after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import Generator, default_rng

from mnist_vae.measure import quality
from mnist_vae.measure.neighbours import coverage, nearest
from mnist_vae.measure.quality import Real
from mnist_vae.measure.samples import class_entropy, frechet_distance, frechet_floor
from mnist_vae.nets.classifier import Classifier, classify


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier().eval()


@pytest.fixture
def test_images(blobs: np.ndarray) -> np.ndarray:
    return blobs[:100].copy()


@pytest.fixture
def training(blobs: np.ndarray) -> np.ndarray:
    return blobs[100:].copy()


@pytest.fixture
def real(classifier: Classifier, test_images: np.ndarray, training: np.ndarray) -> Real:
    return quality.of_real(classifier, test_images, training, default_rng(0))[0]


def test_training_images_as_samples_are_too_near(
    real: Real, test_images: np.ndarray, training: np.ndarray
) -> None:
    rebuilt = nearest((test_images / np.float32(255)) ** 2, training).distances
    copies = nearest(training[:50], training).distances
    assert quality.of_distances(real, rebuilt, copies) == {"too_near": 100, "too_near_rebuilt": 100}
    # Of 100 the nearest one, by construction.
    assert quality.of_distances(real, real.distances) == {"too_near": 1}


def test_test_images_as_samples_are_at_the_test_set(
    classifier: Classifier, real: Real, test_images: np.ndarray
) -> None:
    labels = classify(classifier, test_images).labels.astype(np.uint8)
    found = quality.of_images(classifier, real, test_images, labels)
    assert found["frechet"] == pytest.approx(0, abs=1e-8)
    assert found["precision"] == found["recall"] == 100
    assert found["as_asked"] == 100
    wrong = quality.of_images(classifier, real, test_images, (labels + 1) % 10)
    assert wrong["as_asked"] == 0


def test_samples_are_measured_against_the_test_set(
    classifier: Classifier, real: Real, rng: Generator
) -> None:
    noise = rng.random((100, 1, 28, 28), dtype=np.float32)
    found, seen = quality.of_images(classifier, real, noise), classify(classifier, noise)
    assert real.features is not None
    assert found["frechet"] == frechet_distance(real.features, seen.features)
    assert found["confident"] == 100 * (seen.confidence > 0.9).mean()
    assert (found["precision"], found["recall"]) == coverage(real.features, seen.features)
    assert "as_asked" not in found


@pytest.mark.parametrize("count", [156, 30])
def test_real_images_have_numbers_of_their_own(
    classifier: Classifier, test_images: np.ndarray, training: np.ndarray, count: int
) -> None:
    """Of training images there may be fewer than of test images."""
    real, found = quality.of_real(classifier, test_images, training[:count], default_rng(0))
    seen, others = (classify(classifier, of) for of in (test_images, training[:count]))
    rng = default_rng(0)
    features = quality.spread(seen.features, count)
    floor = frechet_floor(features, others.features, rng)
    assert (found["frechet"], found["frechet_deviation"]) == floor
    chosen = rng.choice(count, min(count, 100), replace=False)
    assert (found["precision"], found["recall"]) == coverage(features, others.features[chosen])
    assert 0 <= found["precision"] <= 100
    assert found["entropy"] == class_entropy(seen.labels, 10)
    assert found["confident"] == 100 * (seen.confidence > 0.9).mean()
    np.testing.assert_array_equal(real.features, seen.features)


def test_without_a_classifier_pixels_alone_are_looked_at(
    test_images: np.ndarray, training: np.ndarray
) -> None:
    real, numbers = quality.of_real(None, test_images, training, default_rng(0))
    assert (real.features, numbers) == (None, {})
    np.testing.assert_array_equal(real.distances, nearest(test_images, training).distances)
    assert quality.of_images(None, real, test_images) == {}
    torch.manual_seed(0)
    assert quality.of_images(Classifier().eval(), real, test_images) == {}  # nothing to hold it to


def test_rows_are_spread_evenly() -> None:
    assert quality.spread(np.arange(11), 3).tolist() == [0, 5, 10]
    assert quality.spread(np.arange(3), 9).tolist() == [0, 1, 2]
