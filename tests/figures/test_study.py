"""The figures of a study: every seed a dot, the interval a band, and nothing where nothing is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from support.studies import table_of

from mnist_vae.figures.study import (
    draw_against_dims,
    draw_differences,
    draw_error_against_seconds,
    draw_sweep,
    of_grid,
)
from mnist_vae.figures.style import COLOURS, WIDTH

DIMS = np.array([2, 16])
SCORES = np.array([[[30.0, 31, 32], [6, 6.5, 7]], [[np.nan] * 3, [5.0, 5.5, np.nan]]])


def dots(ax: Any) -> list[list[tuple[float, float]]]:
    """Coordinates of the dots of each scatter plot that can be seen."""
    clouds = [c for c in ax.collections if hasattr(c, "get_offsets") and c.get_label()[0] != "_"]
    return [
        [(x, y) for x, y in np.ma.filled(c.get_offsets(), np.nan).tolist() if y == y]
        for c in clouds
    ]


def test_every_seed_is_a_dot_and_the_interval_a_band(ax: Any) -> None:
    dims = np.array([2, 8, 16])
    scores = np.insert(SCORES, 1, [[9.0, 10, 11], [np.nan] * 3], axis=1)
    low, high = np.nanmin(scores, 2, initial=99) - 1, np.nanmax(scores, 2, initial=0) + 1
    draw_against_dims(ax, ["ae", "vae"], dims, scores, low, high)
    one, other = dots(ax)
    assert [y for _, y in one] == [30, 31, 32, 9, 10, 11, 6, 6.5, 7]
    assert [y for _, y in other] == [5.0, 5.5]
    assert {round(x) for x, _ in one} == {2, 8, 16}
    bands = [c.get_paths()[0].get_extents() for c in ax.collections if c.get_label()[0] == "_"]
    assert [(band.ymin, band.ymax) for band in bands] == [(5, 33), (4, 6.5)]
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == [[31, 10, 6.5], [5.25]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ae", "vae"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "8", "16"]


def test_of_two_numbers_of_dimensions_none_is_joined(ax: Any) -> None:
    low, high = np.nanmin(SCORES, 2, initial=99) - 1, np.nanmax(SCORES, 2, initial=0) + 1
    draw_against_dims(ax, ["ae", "vae"], DIMS, SCORES, low, high)
    one, other = dots(ax)
    assert [y for _, y in one] == [30, 31, 32, 6, 6.5, 7]
    assert [y for _, y in other] == [5.0, 5.5]
    assert {round(x) for x, _ in one} == {2, 16}
    bars = [segment for c in ax.collections for segment in segments(c)]
    assert [bar[:, 1].tolist() for bar in bars] == [[29, 33], [5, 8], [4, 6.5]]
    assert [round(bar[0, 0]) for bar in bars] == [2, 15, 17]  # beside the dots, each on its side
    assert not [line for line in ax.get_lines() if line.get_linestyle() != "None"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["ae", "vae"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "16"]


def test_a_model_without_the_number_is_not_drawn(ax: Any) -> None:
    nothing = np.full((1, 2, 3), np.nan)
    draw_against_dims(ax, ["ae"], DIMS, nothing, nothing[..., 0], nothing[..., 0])
    assert dots(ax) == []


def test_differences_stand_in_their_interval(ax: Any) -> None:
    values = np.array([[-2.0, -1, 0], [1.0, 2, np.nan]])
    draw_differences(ax, DIMS, values, np.array([-3.0, 0]), np.array([1.0, 3]))
    (cloud,) = dots(ax)
    assert [y for _, y in cloud] == [-2, -1, 0, 1, 2]
    ends = [segment[:, 1].tolist() for c in ax.collections for segment in segments(c)]
    assert ends == [[-3, 1], [0, 3]]


def segments(collection: Any) -> list[Any]:
    return list(collection.get_segments()) if hasattr(collection, "get_segments") else []


def test_a_sweep_is_one_curve_in_the_order_of_its_weights(ax: Any) -> None:
    weights = np.array([1.0, 0.01, 0.1])
    rates, distortions = (
        np.array([[1.0, 3], [20, 22], [9, 11]]),
        np.array([[9.0, 11], [4, 4], [5, 7]]),
    )
    draw_sweep(ax, "2 dimensions", weights, rates, distortions)
    (line,) = ax.get_lines()
    assert line.get_xydata().tolist() == [[21, 4], [10, 6], [2, 10]]
    assert {text.get_text(): text.xy for text in ax.texts} == {
        "0.01": (21, 4),
        "0.1": (10, 6),
        "1": (2, 10),
    }
    assert len(dots(ax)[0]) == 6


def test_weights_of_a_sweep_do_not_cover_each_other(ax: Any) -> None:
    weights, distortions = np.array([0.1, 1, 2, 3]), np.array([[10.0], [11], [11.1], [12]])
    rates = np.array([[9.0], [3], [2.9], [1]])
    draw_sweep(ax, "2 dimensions", weights, rates, distortions, apart=(0.5, 0.5))
    assert {text.get_text() for text in ax.texts} == {"0.1", "2", "3"}
    draw_sweep(ax, "16 dimensions", weights[1:], rates[1:] - 0.1, distortions[1:] - 5, apart=(1, 1))
    assert [text.get_text() for text in ax.texts][3:] == ["1", "3"]
    draw_sweep(ax, "4 dimensions", weights, rates, distortions, apart=(0.5, 0.5))
    assert len(ax.texts) == 5


def test_errors_stand_at_their_seconds(ax: Any) -> None:
    draw_error_against_seconds(ax, "fast", np.array([9.0, 10]), np.array([6.3, 6.2]))
    draw_error_against_seconds(ax, "notebook", np.array([2000.0]), np.array([6.7]), 1)
    assert dots(ax) == [[(9, 6.3), (10, 6.2)], [(2000, 6.7)]]
    with pytest.raises(ValueError, match="errors"):
        draw_error_against_seconds(ax, "fast", np.array([9.0, 10]), np.array([6.3]))


BENCHMARK = {
    "notebook_300_epochs_seconds": 2000.0,
    "vae2": {"seconds": {"mean": 9.0, "runs": 3}, "test_squared_error": {"mean": 30.0}},
}


def test_only_a_grid_of_the_notebooks_recipe_stands_beside_the_benchmarks() -> None:
    table = table_of({(m, d): [40 / d, 42 / d] for m in ("ae", "vae") for d in (2, 16)})
    assert "error_against_seconds" not in dict(of_grid(table, BENCHMARK))
    table["recipe"] = np.full(len(table["recipe"]), "notebook")
    assert "error_against_seconds" not in dict(of_grid(table, {}))
    figure = dict(of_grid(table, BENCHMARK))["error_against_seconds"]
    assert dots(figure.axes[0]) == [[(2000, 20), (2000, 21)], [(9, 30)]]


@pytest.mark.parametrize("bad", ["dims", "scores", "low"])
def test_arrays_that_do_not_fit_are_refused(ax: Any, bad: str) -> None:
    arrays = {"dims": DIMS, "scores": SCORES, "low": SCORES[..., 0], "high": SCORES[..., 0]}
    arrays[bad] = arrays[bad][:, None]
    with pytest.raises(ValueError, match=bad):
        draw_against_dims(ax, ["ae", "vae"], **arrays)


def test_a_grid_has_a_figure_for_each_metric_that_was_measured() -> None:
    table = table_of(
        {(m, d): [40 / d, 41 / d, 42 / d] for m in ("ae", "vae", "vae-b") for d in (2, 16)}
    )
    table["kl"] = np.where(table["kind"] == "ae", np.nan, 5.0)
    table["probe_accuracy"] = np.full(len(table["kl"]), np.nan)
    figures = dict(of_grid(table, {}))
    assert list(figures) == ["difference", "squared_error", "kl"]
    assert {figure.get_figwidth() for figure in figures.values()} == {WIDTH}
    ax: Any = figures["squared_error"].axes[0]
    assert len(dots(ax)) == 3
    assert ax.get_yscale() == "log"
    assert len(dots(figures["kl"].axes[0])) == 2
    colours = {to_hex(c.get_facecolor()[0]) for c in ax.collections if c.get_label()[0] != "_"}
    assert colours == set(COLOURS[:3])


def test_a_sweep_has_the_plane_of_rate_and_distortion() -> None:
    models = [f"beta{index}" for index in range(3)]
    table = table_of({(m, d): [9.0, 8.0] for m in models for d in (2, 16)})
    table["kl"], table["squared_error_sampled"] = table["squared_error"] * 2, table["squared_error"]
    table["kl_weight"] = np.array([float(name[-1]) for name in table["model"]])
    ((name, figure),) = of_grid(table, {})
    assert name == "rate_distortion"
    ax: Any = figure.axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "2 dimensions",
        "16 dimensions",
    ]


def test_without_pairs_there_is_no_difference_to_draw() -> None:
    assert [name for name, _ in of_grid(table_of({("ae", 2): [1.0], ("vae", 2): [2.0]}), {})] == [
        "squared_error"
    ]
