"""Random streams, each named by its purpose, so that no two draw the same numbers."""

from __future__ import annotations

import zlib

import numpy as np


def number(seed: int, purpose: str, *index: int) -> int:
    """A seed of 64 bits for the stream of a purpose, and of a number within it (an epoch, say)."""
    entropy = (seed, zlib.crc32(purpose.encode()), len(index), *index)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def stream(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """The random numbers of a purpose."""
    return np.random.default_rng(number(seed, purpose, *index))
