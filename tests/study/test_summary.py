"""Means, spreads and intervals of seeds, against SciPy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from support.studies import table_of

from mnist_vae.study.summary import spread, summarize


def test_the_interval_is_students() -> None:
    values = np.array([6.1, 6.3, 6.2, 6.6, 6.0])
    described = spread(values)
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (described.low, described.high) == pytest.approx((reference.low, reference.high))
    assert described[:3] == pytest.approx((5, 6.24, np.std(values, ddof=1)))


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).standard_normal((4000, 5))
    held = [each.low < 0 < each.high for each in map(spread, draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 4000))


def test_one_value_has_no_spread_and_equal_ones_have_none_to_show() -> None:
    alone = spread(np.array([3.0]))
    assert alone[:2] == (1, 3.0)
    assert all(map(math.isnan, alone[2:]))
    assert spread(np.full(3, 2.0)) == (3, 2.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_what_cannot_be_described_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="must be at least one finite number"):
        spread(np.array(values))


def test_a_table_is_summarized_by_model_dimension_and_metric() -> None:
    table = table_of({("vae", 2): [30.0, 31], ("vae", 16): [6.0], ("ae", 2): [29.0, 29]})
    table["kl"] = np.array([10.0, 12, 50, np.nan, np.nan])
    rows = summarize(table)
    assert [(r["model"], r["latent_dim"], r["metric"], r["mean"], r["sd"]) for r in rows] == [
        ("vae", 2, "squared_error", 30.5, pytest.approx(math.sqrt(0.5))),
        ("vae", 2, "kl", 11.0, pytest.approx(math.sqrt(2))),
        ("vae", 16, "squared_error", 6.0, ""),
        ("vae", 16, "kl", 50.0, ""),
        ("ae", 2, "squared_error", 29.0, 0.0),
    ]
