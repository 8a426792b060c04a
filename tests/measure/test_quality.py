"""Samples held against real images: each number is that of the function it is named after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.random import Generator
from support.networks import LABELS

from mnist_vae.measure import quality
from mnist_vae.measure.neighbours import coverage
from mnist_vae.measure.quality import Real
from mnist_vae.measure.samples import frechet_distance, frechet_floor
from mnist_vae.nets.classifier import Classifier, classify


@pytest.fixture
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier().eval()


@pytest.fixture
def against(classifier: Classifier, blobs: np.ndarray) -> Real:
    images = blobs.copy()
    test, training = images[:100], images[100:]
    rebuilt = (test / np.float32(255)) ** 2
    return quality.real(classifier, test, rebuilt, training)


def test_training_images_as_samples_are_too_near(classifier: Classifier, against: Real) -> None:
    found = quality.of_samples(classifier, against, against.training[:100])
    assert found["too_near"] == found["too_near_rebuilt"] == 100
    assert "as_asked" not in found


def test_test_images_as_samples_are_at_the_test_set(
    classifier: Classifier, against: Real, blobs: np.ndarray
) -> None:
    test = blobs[:100].copy()
    labels = classify(classifier, test).labels
    found = quality.of_samples(classifier, against, test, labels)
    assert found["frechet"] == pytest.approx(0, abs=1e-8)
    assert found["precision"] == found["recall"] == 100
    assert found["too_near"] == 1  # of 100, by construction
    assert found["as_asked"] == 100
    wrong = quality.of_samples(classifier, against, test, (labels + 1) % 10)
    assert wrong["as_asked"] == 0


def test_samples_are_measured_against_the_test_set(
    classifier: Classifier, against: Real, rng: Generator
) -> None:
    noise = rng.random((100, 1, 28, 28), dtype=np.float32)
    found = quality.of_samples(classifier, against, noise, LABELS[:100].astype(int))
    seen = classify(classifier, noise)
    assert found["frechet"] == frechet_distance(against.test.features, seen.features)
    assert found["confident"] == 100 * (seen.confidence > 0.9).mean()
    assert (found["precision"], found["recall"]) == coverage(against.test.features, seen.features)
    assert found["too_near"] == 0


def test_real_images_have_numbers_of_their_own(classifier: Classifier, against: Real) -> None:
    found = quality.of_real(classifier, against, np.random.default_rng(0))
    features = classify(classifier, against.training).features
    floor = frechet_floor(against.test.features, features, np.random.default_rng(0))
    assert (found["frechet"], found["frechet_deviation"]) == floor
    assert 0 <= found["precision"] <= 100
    assert found["rebuilt_too_near"] >= 0


def test_rows_are_spread_evenly() -> None:
    assert quality.spread(np.arange(11), 3).tolist() == [0, 5, 10]
    assert quality.spread(np.arange(3), 9).tolist() == [0, 1, 2]
