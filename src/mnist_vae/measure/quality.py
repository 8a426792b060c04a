"""What images that a model made are worth beside real ones: by a classifier, and by their pixels.

One mapping of numbers for each kind of images: samples of each prior, reconstructions, and real
images, which is what samples could reach at best.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mnist_vae.measure.accuracy import accuracy
from mnist_vae.measure.neighbours import coverage, nearest, too_near
from mnist_vae.measure.samples import (
    class_entropy,
    confident_share,
    frechet_distance,
    frechet_floor,
)
from mnist_vae.nets.classifier import Classifier, classify

COVERED = 2500
"""Images of each set that precision and recall are taken from, spread evenly."""
NEAR = 500
"""Images whose nearest training image is looked for."""


class Real(NamedTuple):
    """What is known of test images, which others are held against."""

    distances: np.ndarray
    """Of some to the nearest training image, float64 [N]."""
    features: np.ndarray | None
    """What the classifier makes of all, float32 [M, F]; None without a classifier."""


def of_real(
    classifier: Classifier | None,
    test: np.ndarray,
    training: np.ndarray,
    rng: np.random.Generator,
) -> tuple[Real, dict[str, float]]:
    """Look at test images [M, ...] and score training images [N, ...] as if they were samples.

    Without a classifier there are no numbers.
    """
    distances = nearest(spread(test, NEAR), training).distances
    if classifier is None:
        return Real(distances, None), {}
    seen, others = classify(classifier, test), classify(classifier, training)
    count = min(len(seen.labels), len(others.labels))
    features = spread(seen.features, count)
    floor = frechet_floor(features, others.features, rng)
    chosen = rng.choice(len(others.labels), min(count, COVERED), replace=False)
    numbers = {
        "frechet": floor.mean,
        "frechet_deviation": floor.standard_deviation,
        "entropy": class_entropy(seen.labels, classifier.classes),
        "confident": confident_share(seen.confidence),
        **coverage(spread(features, COVERED), others.features[chosen])._asdict(),
    }
    return Real(distances, seen.features), numbers


def of_images(
    classifier: Classifier | None, real: Real, images: np.ndarray, labels: np.ndarray | None = None
) -> dict[str, float]:
    """What images [N, ...], as many as test images, score as the classifier sees them.

    ``labels`` [N] are what they should be read as. Without a classifier there are no numbers.
    """
    if classifier is None or real.features is None:
        return {}
    seen = classify(classifier, images)
    numbers = {
        "frechet": frechet_distance(real.features, seen.features),
        "entropy": class_entropy(seen.labels, classifier.classes),
        "confident": confident_share(seen.confidence),
        **coverage(spread(real.features, COVERED), spread(seen.features, COVERED))._asdict(),
    }
    if labels is not None:
        numbers["as_asked"] = accuracy(seen.labels, labels.astype(int))
    return numbers


def of_distances(
    real: Real, rebuilt: np.ndarray, samples: np.ndarray | None = None
) -> dict[str, float]:
    """How many samples are nearer to a training image than nearly all unseen images are.

    From distances to the nearest training image, of samples [N] and of reconstructions of test
    images [M]. ``too_near`` is the percentage of samples nearer than 1% of test images are,
    ``too_near_rebuilt`` than 1% of the reconstructions: a decoder draws smoothly, which alone
    brings images nearer to others. Without samples, how many of the reconstructions are.
    """
    if samples is None:
        return {"too_near": too_near(rebuilt, real.distances)}
    return {
        "too_near": too_near(samples, real.distances),
        "too_near_rebuilt": too_near(samples, rebuilt),
    }


def spread(array: np.ndarray, count: int) -> np.ndarray:
    """``count`` rows spread evenly over an array, or all where there are fewer."""
    rows = np.linspace(0, len(array) - 1, min(count, len(array))).astype(int)
    return np.asarray(array[rows])
