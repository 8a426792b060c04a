"""The priors that were fitted on a model's latents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.files.kind import Kind
from mnist_vae.files.store import AGAIN, Arrays
from mnist_vae.settings import Seed, Settings


class PriorsFacts(Settings, frozen=True, kw_only=True):
    """Whose latents they were fitted on."""

    model: str
    weights: str
    """SHA-256 of the model's weights: latents of other weights mean other images."""
    seed: Seed
    components: int


PRIORS = Kind(
    "priors",
    PriorsFacts,
    {
        "gaussian.weights": "float64 1",
        "gaussian.means": "float64 1 D",
        "gaussian.factors": "float64 1 D D",
        "mixture.weights": "float64 K",
        "mixture.means": "float64 K D",
        "mixture.factors": "float64 K D D",
    },
    (
        {  # of images with labels
            "classes.weights": "float64 C",
            "classes.means": "float64 C D",
            "classes.factors": "float64 C D D",
            "classes.labels": "uint8 C",
        },
    ),
)


def read_priors(
    path: Path, *, dim: int, classes: int, **expected: Any
) -> tuple[Arrays, PriorsFacts]:
    """The priors over latents of ``dim`` dimensions, and the facts about them.

    Raises InputError as ``Kind.read`` does, and for weights that are no probabilities or labels
    that are not those of so many ``classes``.
    """
    arrays, facts = PRIORS.read(path, sizes={"D": dim}, **expected)
    for name, array in arrays.items():
        if name.endswith(".weights") and not (array.min() >= 0 and abs(array.sum() - 1) < 1e-9):
            raise InputError(f"{path}: {name} are no probabilities, must be with the sum 1{AGAIN}")
    labels = arrays.get("classes.labels")
    if labels is not None and not np.array_equal(np.unique(labels), np.arange(classes)):
        raise InputError(f"{path}: classes.labels are not those of {classes} classes{AGAIN}")
    return arrays, facts
