"""What a model's encoder makes of all images."""

from __future__ import annotations

from mnist_vae.files.kind import Kind
from mnist_vae.settings import Seed, Settings


class LatentsFacts(Settings, frozen=True, kw_only=True):
    """Whose latents they are."""

    model: str
    weights: str
    """SHA-256 of the model's weights: latents of others mean other images."""
    seed: Seed
    """Of all that is drawn for this model."""
    epochs: int
    dataset: str
    """The name of the data set that the images are of."""
    classes: tuple[str, ...] = ()
    """Names of its classes; none where there are no labels."""


LARGEST_LOGVAR = 30
"""A standard deviation of three million: what is drawn from a wider posterior is no latent."""
LATENTS = Kind(
    "latents",
    LatentsFacts,
    {"mean": "float32 N D", "train_mean": "float32 M D"},
    (
        {  # of a VAE
            "logvar": f"float32<{LARGEST_LOGVAR} N D",
            "train_logvar": f"float32<{LARGEST_LOGVAR} M D",
        },
        {  # of images with labels
            "class_latents": "float32 K D",
            "labels": "uint8<K N",
            "train_labels": "uint8<K M",
        },
    ),
)
