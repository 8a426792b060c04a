"""What the tests of latents share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def images(blobs: np.ndarray) -> np.ndarray:
    """The blobs, uint8 [256, 1, 28, 28]."""
    return blobs.copy()
