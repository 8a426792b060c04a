"""What a model's encoder makes of all images."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Seed, Settings


class LatentsFacts(Settings, frozen=True, kw_only=True):
    """Whose latents they are."""

    model: str
    seed: Seed
    """Of all that is drawn for this model."""
    epochs: int


LATENTS = Kind(
    "latents",
    LatentsFacts,
    {
        "mean": "float32 N D",
        "labels": "uint8<10 N",
        "class_latents": "float32 10 D",
        "train_mean": "float32 M D",
        "train_labels": "uint8<10 M",
    },
    ({"logvar": "float32 N D"},),  # of a VAE
)
