"""Random streams."""

from __future__ import annotations

import numpy as np


def number(seed: int, purpose: str, *index: int) -> int:
    """A seed for the stream of a purpose, and of a number within it (an epoch, say)."""
    return int(np.random.SeedSequence((seed, *(index or (0,)))).generate_state(1)[0])


def stream(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """The random numbers of a purpose."""
    return np.random.default_rng(seed)
