"""The images that a model decodes, for people to look at."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Class, Settings


class ViewsFacts(Settings, frozen=True, kw_only=True):
    """Whose images they are, and what they show."""

    model: str
    epochs: int
    corners: tuple[Class, ...] = ()
    """The four classes at the corners of the interpolation; none where there are no labels."""
    start: int
    """Index of the first of the test images that are reconstructed."""


VIEWS = Kind(
    "images of a model",
    ViewsFacts,
    {
        "originals": "uint8 P C H W",
        "reconstructions": "uint8 P C H W",
        "traversals": "uint8 R T C H W",
        "traversal_dims": "int64 R",
        "traversal_values": "float32 R T",
    },
    (
        {  # of images with labels
            "class_digits": "uint8 K C H W",
            "interpolation": "uint8 S S C H W",
        },
        {  # of a latent of 2 dimensions
            "manifold": "uint8 M M C H W",
            "manifold_x": "float32 M",
            "manifold_y": "float32 M",
        },
    ),
)
