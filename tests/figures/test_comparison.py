"""All models in one figure: each by its name, in its own colour, where it belongs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.drawings import texts

from mnist_vae.figures.comparison import (
    draw_errors,
    draw_losses,
    draw_rate_distortion,
    draw_rates,
    looks,
)

NAMES = ["_a", r"$\frac$", "c"]
LOOK = looks(NAMES)


def legend(ax: Any) -> list[str]:
    (found,) = ax.figure.legends
    return texts(found.get_texts())


def test_models_look_different() -> None:
    assert len(set(looks([str(i) for i in range(6)]).values())) == 6
    assert looks(NAMES)["c"] == looks([*NAMES, "d"])["c"]


def test_errors_of_as_many_dimensions_stand_beside_each_other(ax: Any) -> None:
    dims = dict(zip(NAMES, (16, 16, 2), strict=True))
    draw_errors(ax, LOOK, dims, {"_a": 6.0, r"$\frac$": 6.0, "c": 30.0})
    (one, other, last) = (dots.get_offsets()[0].tolist() for dots in ax.collections)
    assert one[0] < 16 < other[0]
    assert (one[1], other[1], last) == (6, 6, [2, 30])
    assert texts(ax.get_xticklabels()) == ["2", "16"]
    assert legend(ax) == NAMES


@pytest.mark.parametrize(("first", "scale"), [(70.0, "log"), (20.0, "linear"), (-3.0, "linear")])
def test_losses_have_a_log_scale_where_it_helps_and_whole_epochs(
    ax: Any, first: float, scale: str
) -> None:
    draw_losses(ax, LOOK, {"_a": np.array([first, 7.0, 6.0]), "c": np.array([9.0])})
    assert ax.get_yscale() == scale
    assert [line.get_xdata().tolist() for line in ax.lines] == [[1, 2, 3], [1]]
    assert all(tick == round(tick) for tick in ax.get_xticks())
    assert legend(ax) == ["_a", "c"]


def test_rates_are_sorted(ax: Any) -> None:
    draw_rates(ax, LOOK, {"c": np.array([0.0, 5.0, 0.1, 7.0])})
    assert ax.lines[0].get_ydata().tolist() == [7, 5, 0.1, 0]
    with pytest.raises(ValueError, match="rates"):
        draw_rates(ax, LOOK, {"c": np.zeros((2, 2))})


def test_vaes_are_points_of_the_plane_and_autoencoders_lines(ax: Any) -> None:
    points = {"_a": (120.0, 6.0), r"$\frac$": (20.0, 15.0)}
    draw_rate_distortion(ax, LOOK, points, {"c": 7.0})
    assert [tuple(dots.get_offsets()[0]) for dots in ax.collections] == list(points.values())
    (line,) = ax.lines
    assert (line.get_linestyle(), set(line.get_ydata())) == ("--", {7.0})
    assert legend(ax) == NAMES
    assert texts(ax.texts) == ["better"]
