"""What is known of the test images, which samples of all models are held against."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings


class RealFacts(Settings, frozen=True, kw_only=True):
    """Which images they are."""

    dataset: str


REAL = Kind(
    "real images",
    RealFacts,
    {"distances": "float64 T"},
    ({"features": "float32 N F"},),  # of images with labels
)
