"""Two-dimensional maps of a model's latents."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Settings


class MapsFacts(Settings, frozen=True, kw_only=True):
    """Whose latents they lay out, and by which method."""

    model: str
    method: str
    perplexity: float


MAPS = Kind(
    "maps",
    MapsFacts,
    {"map": "float32 N 2", "pca": "float32 N 2", "explained_variance": "float32 2"},
    ({"class_map": "float32 K 2", "labels": "uint8<K N"},),  # of images with labels
)
