"""What a model makes of draws from its priors: measured, and some of it to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mnist_vae import seeds
from mnist_vae.files.store import Arrays
from mnist_vae.latents.codes import decode, to_bytes
from mnist_vae.latents.priors import Prior, draw
from mnist_vae.measure import quality
from mnist_vae.measure.neighbours import nearest
from mnist_vae.measure.quality import Real, of_distances, of_images, spread
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.vae import VAE

SHOWN = 100
"""Samples of each prior to look at."""
IN_ROW = 10
"""Samples of each class in a row, and samples whose nearest training image is shown."""


def measure(
    network: VAE,
    classifier: Classifier | None,
    priors: Mapping[str, Prior],
    real: Real,
    mean: np.ndarray,
    labels: np.ndarray | None,
    training: np.ndarray,
    *,
    seed: int,
) -> tuple[dict[str, Any], Arrays]:
    """Draw as many samples of each prior as there are test images, and measure and show them.

    Test images come as what is known of them, the means [N, D] of their posteriors and their labels
    [N], if any; training images are uint8 [M, C, H, W]. Returns numbers by prior, and those of
    reconstructions from the means, which is what this decoder could reach at best; and images,
    uint8, as files.samples has them.
    """
    rebuilt = decode(network, mean)
    numbers: dict[str, dict[str, float]] = {
        "reconstructions": of_images(classifier, real, rebuilt, labels)
    }
    looked_at, shown = {"reconstructions": spread(rebuilt, quality.NEAR)}, {}
    for name, prior in priors.items():
        drawn = draw(prior, len(mean), seeds.stream(seed, f"samples of {name}"))
        images = decode(network, drawn.latents)
        numbers[name] = of_images(classifier, real, images, drawn.labels)
        looked_at[name] = images[: quality.NEAR]
        shown[name] = to_bytes(images[:SHOWN])
    found = nearest(np.concatenate(list(looked_at.values())), training)
    ends = np.cumsum([len(images) for images in looked_at.values()])[:-1]
    distances = dict(zip(looked_at, np.split(found.distances, ends), strict=True))
    indices = dict(zip(looked_at, np.split(found.indices, ends), strict=True))
    of_rebuilt = distances["reconstructions"]
    for name in numbers:
        others = None if name == "reconstructions" else distances[name]
        numbers[name] |= of_distances(real, of_rebuilt, others)

    richest = list(priors)[-1]
    shown["made"] = shown[richest][:IN_ROW]
    shown["nearest"] = training[indices[richest][:IN_ROW]]
    if (of_classes := priors.get("classes")) is not None:
        rng = seeds.stream(seed, "rows of classes")
        rows = [draw(of_classes, IN_ROW, rng, label).latents for label in range(of_classes.classes)]
        shown["rows"] = to_bytes(decode(network, np.stack(rows)))
    return numbers, shown
