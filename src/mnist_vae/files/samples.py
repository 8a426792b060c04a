"""The images that a model makes of draws from its priors, for people to look at."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings


class SamplesFacts(Settings, frozen=True, kw_only=True):
    """Whose samples they are."""

    model: str
    weights: str
    """SHA-256 of the model's weights."""


SAMPLES = Kind(
    "samples",
    SamplesFacts,
    {
        "real": "uint8 P C H W",
        "gaussian": "uint8 P C H W",
        "mixture": "uint8 P C H W",
        "made": "uint8 T C H W",
        "nearest": "uint8 T C H W",
    },
    (
        {"standard": "uint8 P C H W"},  # of a VAE
        {  # of images with labels
            "classes": "uint8 P C H W",
            "rows": "uint8 K R C H W",
            "class_digits_read": "uint8<K K",
        },
    ),
)
"""Beside samples of each prior: ``real`` images; some samples ``made``, each with its ``nearest``
training image; ``rows`` of one class each; and how the classifier reads the decoded classes."""
