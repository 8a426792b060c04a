"""Every measure refuses an argument that cannot be meant, and names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mnist_vae.measure import (
    accuracy,
    audit,
    checks,
    distortion,
    likelihood,
    maps,
    neighbours,
    rate,
    samples,
    separability,
)

Measure = Callable[..., object]
Arguments = dict[str, Any]

IMAGES, POINTS, CLASSES = np.zeros((2, 784)), np.eye(9), np.arange(9) % 2
SPLIT = {"train": POINTS, "train_labels": CLASSES, "test": POINTS[:5], "test_labels": CLASSES[:5]}
OF_PIXELS: dict[Measure, Arguments] = {
    distortion.squared_error: {"images": IMAGES, "reconstructions": IMAGES},
    distortion.distortion: {"images": IMAGES, "reconstructions": IMAGES},
}
OF_OTHERS: dict[Measure, Arguments] = {
    rate.rate: {"mean": POINTS, "logvar": POINTS},
    rate.active: {"mean": POINTS},
    likelihood.elbo: {"log_likelihood": np.ones(3), "rate": np.ones(2)},
    likelihood.importance_nll: {"log_weights": np.zeros((5, 2))},
    likelihood.bits_per_dimension: {"nats": 1.0, "pixels": 1},
    separability.knn_accuracy: {**SPLIT, "k": 9},
    separability.probe_accuracy: SPLIT,
    separability.silhouette: {"latents": POINTS, "labels": CLASSES},
    maps.map_quality: {"latents": POINTS, "points": POINTS[:, :2], "k": 4},
    samples.frechet_distance: {"features": POINTS, "others": POINTS[:5]},
    samples.frechet_floor: {
        "features": POINTS[:4],
        "others": POINTS,
        "rng": np.random.default_rng(0),
        "draws": 2,
    },
    samples.confident_share: {"confidence": np.array([0.2, 1.0])},
    neighbours.coverage: {"real": POINTS, "samples": POINTS[:5], "k": 2},
    neighbours.too_near: {"samples": np.ones(3), "real": np.ones(2), "quantile": 0.1},
    samples.class_entropy: {"predicted": CLASSES, "classes": 10},
    audit.audit_gaussian: {
        "kl_weight": 1.0,
        "variance": 0.5,
        "mean_squared_error": 0.01,
        "rate": 20.0,
    },
    audit.audit_bernoulli: {"kl_weight": 1.0, "rate": 20.0},
    accuracy.accuracy: {"predicted": CLASSES, "labels": CLASSES},
}
VALID = OF_PIXELS | OF_OTHERS

# Values that each argument must not have, beside those that no array of its kind may have.
OUT_OF_RANGE: dict[Measure, dict[str, list[Any]]] = {
    rate.rate: {"logvar": [POINTS[:, :2]]},
    likelihood.importance_nll: {"log_weights": [np.zeros((1, 5)), np.zeros((5, 0))]},
    likelihood.bits_per_dimension: {"pixels": [0]},
    separability.knn_accuracy: {
        "train": [POINTS[:, :3]],
        "train_labels": [CLASSES[:8]],
        "k": [0, 10],
    },
    separability.probe_accuracy: {"train": [POINTS[:, :3]], "train_labels": [CLASSES[:8]]},
    separability.silhouette: {"labels": [CLASSES[:8], np.zeros(9, int)]},
    maps.map_quality: {"points": [POINTS[:8]], "k": [0, 5]},
    samples.frechet_distance: {"features": [POINTS[:1]], "others": [POINTS[:, :2], POINTS[:1]]},
    samples.frechet_floor: {"others": [POINTS[:3]], "draws": [1]},
    samples.confident_share: {"confidence": [np.array([1.1]), np.array([-0.1])]},
    neighbours.coverage: {"samples": [POINTS[:, :2]], "k": [0, 5]},
    neighbours.too_near: {"quantile": [0.0, 1.0]},
    samples.class_entropy: {"predicted": [np.array([0, 10]), np.array([-1])]},
    accuracy.accuracy: {"labels": [CLASSES[:8]]},
    audit.audit_gaussian: {
        "kl_weight": [-1, np.nan],
        "rate": [-0.1, np.inf],
        "mean_squared_error": [0],
        "variance": [0, -1],
    },
    audit.audit_bernoulli: {"kl_weight": [-1], "rate": [np.nan]},
}


def unfit(array: np.ndarray) -> Iterator[np.ndarray]:
    """What stands for no vector, matrix or labels: another shape, nothing, what is no number."""
    yield from (array[:, None], array[:0])
    if array.dtype == float:
        yield from (array[0], np.full_like(array, np.nan), np.full_like(array, np.inf))
    else:
        yield array / 1


def refused() -> Iterator[tuple[Measure, Arguments, str]]:
    """Measures, what to change in their valid arguments, and a part of the complaint."""
    for measure, arguments in OF_PIXELS.items():
        output = list(arguments)[1]
        yield measure, {output: np.zeros((3, 784))}, r"\[N, \.\.\.\]"
        yield measure, {output: np.zeros((2, 783))}, "783"
        yield measure, {"images": IMAGES[0], output: IMAGES[0]}, r"\[N, \.\.\.\]"
        yield measure, {"images": IMAGES[:0], output: IMAGES[:0]}, r"\[N, \.\.\.\]"
        yield measure, {"images": np.full((2, 784), 255, np.uint8)}, "0 to 1"
        yield measure, {"images": IMAGES - 0.1}, "0 to 1"
        yield measure, {"images": IMAGES + 1.1}, "^images are in 1.1 to 1.1, must be in 0 to 1$"
        yield measure, {output: np.full((2, 784), np.nan)}, "^pixels has a NaN"
    for measure, arguments in OF_OTHERS.items():
        for name, array in arguments.items():
            if isinstance(array, np.ndarray):
                yield from ((measure, {name: other}, f"^{name} (is|has)") for other in unfit(array))
    for measure, ranges in OUT_OF_RANGE.items():
        for name, values in ranges.items():
            complaint = "^features are" if measure == samples.frechet_distance else rf"\b{name}\b"
            yield from ((measure, {name: value}, complaint) for value in values)


@pytest.mark.parametrize(("measure", "change", "complaint"), [*refused()])
def test_arguments_that_cannot_be_meant_are_refused(
    measure: Measure, change: Arguments, complaint: str
) -> None:
    measure(**VALID[measure])
    with pytest.raises(ValueError, match=complaint):
        measure(**VALID[measure] | change)


def test_a_wrong_shape_is_told_with_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"^x is \(3,\), must be \[rows, columns\] and not empty$"):
        checks.matrix("x", np.zeros(3))
    with pytest.raises(ValueError, match=r"^x is \(0,\), must be \[N\] and not empty$"):
        checks.vector("x", np.zeros(0))
