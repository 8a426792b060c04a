"""The images that a model decodes, for people to look at."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Digit, Settings


class ViewsFacts(Settings, frozen=True, kw_only=True):
    """Whose images they are, and what they show."""

    model: str
    epochs: int
    classes: tuple[Digit, Digit, Digit, Digit]
    """At the corners of the interpolation."""
    start: int
    """Index of the first of the test images that are reconstructed."""


VIEWS = Kind(
    "images of a model",
    ViewsFacts,
    {
        "originals": "uint8 100 28 28",
        "reconstructions": "uint8 100 28 28",
        "class_digits": "uint8 10 28 28",
        "interpolation": "uint8 S S 28 28",
        "traversals": "uint8 R T 28 28",
        "traversal_dims": "int64 R",
        "traversal_values": "float32 R T",
    },
    (
        {"prior_samples": "uint8 100 28 28"},  # of a VAE
        {  # of a latent of 2 dimensions
            "manifold": "uint8 M M 28 28",
            "manifold_x": "float32 M",
            "manifold_y": "float32 M",
        },
    ),
)
