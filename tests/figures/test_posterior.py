"""Rates in order, and posteriors on the scale of the prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.drawings import CLASSES, texts

from mnist_vae.figures.posterior import draw_aggregate, draw_aggregate_plane, draw_rate


def test_rates_are_sorted_and_active_units_counted(ax: Any) -> None:
    draw_rate(ax, np.array([0.0, 5.0, 0.1, 7.0]), np.array([False, True, False, True]))
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[7, 5, 0, 0], [0, 0, 0.1, 0]]
    assert texts(ax.get_xticklabels()) == ["3", "1", "2", "0"]
    assert texts(ax.get_legend().get_texts()) == ["active (2 of 4)", "not active (2 of 4)"]


def test_samples_of_the_prior_fill_the_area_under_it(ax: Any) -> None:
    draw_aggregate(ax, np.random.default_rng(0).standard_normal(100_000), 4.0)
    density, edges, _ = ax.patches[0].get_data()
    z, prior = ax.lines[0].get_data()
    assert (density * np.diff(edges)).sum() == pytest.approx(1, abs=1e-3)
    assert np.trapezoid(prior, z) == pytest.approx(1, abs=1e-3)
    middle = (edges[:-1] + edges[1:]) / 2
    assert density == pytest.approx(np.interp(middle, z, prior), abs=0.02)


def test_the_prior_of_a_plane_has_three_circles(ax: Any) -> None:
    samples = np.random.default_rng(0).uniform(size=(100, 2))
    draw_aggregate_plane(ax, samples, np.arange(100) % 10, CLASSES, 3)
    assert [circle.get_radius() for circle in ax.patches] == [1, 2, 3]
    assert ax.get_xlim()[1] > 3
    assert ax.get_ylim()[0] < -3
