"""Numbers as a person reads them, and the best of a row."""

from __future__ import annotations

from typing import Any

import pytest
from support.pages import MODELS, measured

from mnist_vae.measure.catalog import METRICS, Better, Metric
from mnist_vae.report.document import Cell
from mnist_vae.report.tables import compare, comparison, row_name, show


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (6.2219, 4, "6.222"),
        (187.4, 3, "187"),
        (99.96, 3, "100"),
        (999.96, 4, "1,000"),
        (213537, 4, "213,537"),
        (0, 4, "0"),
        (0.0, 4, "0.000"),
        (-812.34, 4, "−812.3"),
        (0.0079, 4, "0.007900"),
        (6.103515625e-05, 4, "6.104·10⁻⁵"),
        (-2.5e-12, 4, "−2.500·10⁻¹²"),
        (1e300, 4, f"{int(1e300):,}"),
    ],
)
def test_numbers_read_well(value: float, digits: int, text: str) -> None:
    assert show(value, digits) == text


def row(metric: Metric, *measured: dict[str, Any]) -> list[Cell]:
    return compare(metric, {str(i): metrics for i, metrics in enumerate(measured)})


def row_of(better: Better, *values: float | str | None) -> list[Cell]:
    metrics = ({} if value is None else {"a": {"b": value}} for value in values)
    return row(Metric("a.b", "A", "how", better=better), *metrics)


@pytest.mark.parametrize(
    ("better", "values", "best"),
    [
        ("lower", [3.0, 1.0, 2.0], {1}),
        ("higher", [3.0, 1.0, 2.0], {0}),
        ("lower", [-3.0, 1.0, 2.0], {0}),
        ("", [3.0, 1.0, 2.0], set()),
        ("lower", [1.0, 1.00001, 2.0], {0, 1}),  # both read 1.000
        ("lower", [1.0, 1.0, 1.0], set()),
        ("lower", [None, 1.0, 2.0], {1}),
        ("lower", [None, 1.0, None], set()),
        ("higher", [None, None], set()),
        ("higher", ["<b>", 1.0, 2.0], {2}),
        ("lower", [0.0, 1, 2], {0}),
    ],
)
def test_the_best_is_marked(
    better: Better, values: list[float | str | None], best: set[int]
) -> None:
    assert {i for i, cell in enumerate(row_of(better, *values)) if cell.best} == best


def test_a_cell_shows_what_was_measured() -> None:
    texts = [cell.text for cell in row_of("lower", None, 1.5, 3, "<script>", True, 1e301)]
    assert texts == ["–", "1.500", "3", "<script>", "–", "–"]


def test_a_standard_error_stands_beside_its_number() -> None:
    metric = Metric("a.b", "A", "how", better="lower", error="a.c")
    cells = row(metric, {"a": {"b": -8.0, "c": 0.123}}, {"a": {"b": 2.0}})
    assert cells == [Cell("−8.000 ± 0.12", best=True), Cell("2.000")]


def test_densities_are_not_ranked_against_likelihoods_of_gray_pixels() -> None:
    metric = Metric("likelihood.nll", "NLL", "how", better="lower")
    gaussian = [{"likelihood": {"nll": nll, "variance": 0.01}} for nll in (5.0, 6.0)]
    bernoulli: list[dict[str, Any]] = [{"likelihood": {"nll": nll}} for nll in (70.0, 80.0)]
    cases = (gaussian, bernoulli, [gaussian[0], bernoulli[0]], [*gaussian, {}])
    best = [[cell.best for cell in row(metric, *models)] for models in cases]
    assert best == [[True, False], [True, False], [False, False], [True, False, False]]


def test_every_metric_has_a_row_of_its_own() -> None:
    groups = comparison(list(MODELS), measured()).groups
    assert {group: [row[0].text for row in rows] for group, rows in groups.items()} == {
        group: [row_name(metric) for metric in metrics] for group, metrics in METRICS.items()
    }
    assert {len(row) for rows in groups.values() for row in rows} == {1 + len(MODELS)}


def test_rows_that_no_model_has_are_left_out() -> None:
    groups = comparison(["ae16", "ae2"], measured("ae16", "ae2")).groups
    assert "Squared error" in str(groups)
    assert "NLL" not in str(groups)
    assert all(groups.values())


def test_a_calibrated_gaussian_competes_under_calibration() -> None:
    metrics = measured()
    metrics["sigma16"]["likelihood"]["nll"] = -900.0
    rows = comparison(list(MODELS), metrics).groups["Likelihood on the test set"]
    (calibrated,) = (row for row in rows if "NLL, calibrated" in row[0].text)
    assert [cell.best for cell in calibrated[1:]] == [False, False, False, False, True]
