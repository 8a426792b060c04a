"""What samples are worth, held against real images: as a classifier sees them, and by pixels.

One mapping of numbers for each prior that a model is sampled from, and one for real images, which
is what samples could reach at best.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_vae.measure.accuracy import accuracy
from mnist_vae.measure.neighbours import coverage, nearest_distances, too_near
from mnist_vae.measure.samples import (
    class_entropy,
    confident_share,
    frechet_distance,
    frechet_floor,
)
from mnist_vae.nets.classifier import Classified, Classifier, classify

COVERED = 5000
"""Images of each set that precision and recall are taken from, spread evenly."""
NEAR = 1000
"""Images whose nearest training image is looked for."""


class Real(NamedTuple):
    """Real images that samples are held against."""

    test: Classified
    training: np.ndarray
    """Training images, [M, ...]"""
    distances: np.ndarray
    """Of test images to the nearest training image, [N]."""
    rebuilt_distances: np.ndarray
    """The same of reconstructions of these test images."""


def real(
    classifier: Classifier, test: np.ndarray, reconstructions: np.ndarray, training: np.ndarray
) -> Real:
    """Look at test images [N, ...], their reconstructions and training images [M, ...]."""
    return Real(
        classify(classifier, test),
        training,
        nearest_distances(spread(test, NEAR), training),
        nearest_distances(spread(reconstructions, NEAR), training),
    )


def of_real(classifier: Classifier, against: Real, rng: np.random.Generator) -> dict[str, float]:
    """The numbers of ``of_samples`` that training images score, as if they were samples."""
    seen = classify(classifier, against.training)
    count = len(against.test.labels)
    floor = frechet_floor(against.test.features, seen.features, rng)
    chosen = rng.choice(len(seen.labels), min(count, COVERED), replace=False)
    found = coverage(spread(against.test.features, COVERED), seen.features[chosen])
    return {
        "frechet": floor.mean,
        "frechet_deviation": floor.standard_deviation,
        "entropy": class_entropy(against.test.labels, classifier.classes),
        "confident": confident_share(against.test.confidence),
        **found._asdict(),
        # Test images here: training images would be their own nearest.
        "rebuilt_too_near": too_near(against.rebuilt_distances, against.distances),
    }


def of_samples(
    classifier: Classifier, against: Real, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, float]:
    """What samples [N, ...] score, as many as there are test images; ``labels`` were asked for.

    ``too_near`` is the percentage of samples nearer to a training image than 1% of test images
    are, ``too_near_rebuilt`` than 1% of these, reconstructed, are: a decoder draws smoothly, which
    alone brings its images nearer.
    """
    seen = classify(classifier, images)
    found = coverage(spread(against.test.features, COVERED), spread(seen.features, COVERED))
    distances = nearest_distances(spread(images, NEAR), against.training)
    numbers = {
        "frechet": frechet_distance(against.test.features, seen.features),
        "entropy": class_entropy(seen.labels, classifier.classes),
        "confident": confident_share(seen.confidence),
        **found._asdict(),
        "too_near": too_near(distances, against.distances),
        "too_near_rebuilt": too_near(distances, against.rebuilt_distances),
    }
    if labels is not None:
        numbers["as_asked"] = accuracy(seen.labels, labels)
    return numbers


def spread(array: np.ndarray, count: int) -> np.ndarray:
    """``count`` rows spread evenly over an array, or all where there are fewer."""
    rows = np.linspace(0, len(array) - 1, min(count, len(array))).astype(int)
    return np.asarray(array[rows])
