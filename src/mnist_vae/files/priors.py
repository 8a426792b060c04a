"""The priors that were fitted on a model's latents."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
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
