"""Random streams: each its own, and the same wherever it is drawn."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from mnist_vae import seeds

SEEDS = (0, 1, 2**32 - 1, 2**64 - 1)
PURPOSES = ("initialize", "epoch", "views")
INDICES: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2), (2, 1))


def test_every_seed_purpose_and_index_has_a_number_of_its_own() -> None:
    numbers = [seeds.number(s, name, *i) for s, name, i in product(SEEDS, PURPOSES, INDICES)]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 2**64 for number in numbers)
    assert max(numbers) >= 2**63  # all 64 bits are used
    first = [torch.rand(1, generator=torch.Generator().manual_seed(n)).item() for n in numbers]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize(
    ("purpose", "index", "number"),
    [("epoch", (1,), 17984224916741565843), ("initialize", (), 6090540078858238506)],
)
def test_a_number_is_the_same_on_every_machine(
    purpose: str, index: tuple[int, ...], number: int
) -> None:
    assert seeds.number(0, purpose, *index) == number


def test_a_stream_starts_from_its_number() -> None:
    drawn = seeds.stream(3, "views", 2).random(5)
    expected = np.random.default_rng(seeds.number(3, "views", 2)).random(5)
    assert drawn.tolist() == expected.tolist()
    assert drawn.tolist() != seeds.stream(3, "views", 3).random(5).tolist()
