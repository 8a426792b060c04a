"""What the tests of training share: images, and bfloat16 on every processor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from support.training import as_tensor
from torch import Tensor

from mnist_vae.nets import devices


@pytest.fixture(scope="module", autouse=True)
def bfloat16_anywhere() -> Iterator[None]:
    """Recipes in bfloat16 are computed in it, emulated where the processor has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(devices, "has_bfloat16", lambda device: True)
        yield


@pytest.fixture(scope="session")
def images(blobs: np.ndarray) -> Tensor:
    """The blobs as training takes them, uint8 [256, 1, 28, 28]."""
    return as_tensor(blobs)
