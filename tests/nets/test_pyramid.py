"""The sizes of maps for every size of images."""

from __future__ import annotations

from itertools import pairwise

import pytest
from torch import nn

from mnist_vae.nets import pyramid
from mnist_vae.nets.vae import VAE

SIZES = range(8, 257, 4)


@pytest.mark.parametrize(
    ("size", "maps", "widths"),
    [
        (8, (8, 4), (16, 64)),
        (28, (28, 14, 7), (16, 32, 64)),
        (32, (32, 16, 8), (16, 32, 64)),
        (36, (36, 18, 9, 5), (16, 32, 64, 64)),
        (64, (64, 32, 16, 8), (16, 32, 64, 64)),
        (256, (256, 128, 64, 32, 16, 8), (16, 32, 64, 128, 256, 64)),
    ],
)
def test_some_sizes(size: int, maps: tuple[int, ...], widths: tuple[int, ...]) -> None:
    assert pyramid.sizes(size) == maps
    assert pyramid.widths(size, last=64) == widths


@pytest.mark.parametrize("size", SIZES)
def test_every_size_ends_in_a_grid_of_4_to_8_as_early_as_it_can(size: int) -> None:
    maps = pyramid.sizes(size)
    assert maps[0] == size
    assert 4 <= maps[-1] <= 8
    assert all(after == -(-before // 2) for before, after in pairwise(maps))
    assert all(inner > 8 for inner in maps[1:-1])


@pytest.mark.parametrize("size", [0, 4, 30, 260])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size is {size}, must be a multiple of 4 from 8"):
        pyramid.sizes(size)


@pytest.mark.parametrize("widths", [(16,), (16, 32), (16, 32, 64, 64)])
def test_there_must_be_a_width_for_each_convolution(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"widths has {len(widths)} numbers, must have 3 for"):
        VAE(2, widths=widths)


def test_widths_are_the_channels_after_each_convolution() -> None:
    network = VAE(2, image_size=36, channels=3, widths=(5, 6, 7, 8))
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convs] == [(3, 5), (5, 6), (6, 7), (7, 8)]
