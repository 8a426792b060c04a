"""Colours for any number of classes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from support.drawings import TAB10
from support.project import ROOT

from mnist_vae.figures.palette import colours, contrast
from mnist_vae.settings import read_params


def nearest(chosen: tuple[str, ...]) -> float:
    """The smallest distance of two colours, in sRGB."""
    points = np.array([to_rgb(colour) for colour in chosen])
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(points, 2))


def test_as_many_classes_as_colours_take_them_in_order() -> None:
    assert colours(TAB10, 10) == tuple(TAB10)


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_fewer_classes_take_those_that_differ_most(count: int) -> None:
    palette = read_params(("figures.palette", tuple[str, ...]), path=ROOT / "params.yaml")[0]
    chosen = colours(palette, count)
    assert len(set(chosen)) == count
    assert set(chosen) < set(palette)
    if count < 9:  # its first are two greys among them
        assert nearest(chosen) > 1.2 * nearest(palette[:count])


@pytest.mark.parametrize("count", [11, 20, 100])
def test_more_classes_get_more_colours_that_differ_and_show_on_both_pages(count: int) -> None:
    chosen = colours(TAB10, count)
    assert chosen[:10] == tuple(TAB10)
    assert len(set(chosen)) == count
    added = np.array([to_rgb(colour) for colour in chosen[10:]])
    assert contrast(added).min() > 2.99  # hexadecimal digits round
    if count <= 20:
        assert nearest(chosen) > 0.8 * nearest(tuple(TAB10))
