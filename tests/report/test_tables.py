"""Numbers as a person reads them, and the best of a row."""

from __future__ import annotations

from typing import Any

import pytest
from support.pages import MODELS, found_by, measured

from mnist_vae.measure.catalog import METRICS, Better, Metric
from mnist_vae.report.document import Cell
from mnist_vae.report.tables import MATTER, compare, comparison, row_name, show


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


ERROR = Metric("distortion.squared_error", "A", "how", better="lower")
SEEDS = [-0.1, 0.0, 0.1]


def marked(metric: Metric, numbers: dict[str, float | None], **means: float) -> set[str]:
    """The models of the page marked, where the study's seeds lie about these means."""
    errors = {
        (model.rstrip("0123456789"), int(model.lstrip("abcdefghijklmnopqrstuvwxyz"))): [
            mean + shift for shift in (SEEDS if model.startswith("vae") else reversed(SEEDS))
        ]
        for model, mean in means.items()
    }
    key = metric.path.split(".")[1]
    metrics = {n: {} if v is None else {"distortion": {key: v}} for n, v in numbers.items()}
    cells = compare(metric, metrics, found_by(errors))
    return {name for name, cell in zip(numbers, cells, strict=True) if cell.best}


def test_the_best_is_marked_where_the_study_tells_it_from_all_others() -> None:
    both: dict[str, float | None] = {"vae16": 6.0, "ae16": 6.5}
    assert marked(ERROR, both, vae16=6.0, ae16=8.0) == {"vae16"}
    assert marked(ERROR, both, vae16=6.0, ae16=6.1) == set()  # within the spread
    assert marked(ERROR, both, vae16=8.0, ae16=6.0) == set()  # the page's seed was a lucky one
    assert marked(ERROR, {**both, "ae2": 29.0}, vae16=6.0, ae16=8.0, ae2=30.0) == {"vae16"}
    assert marked(ERROR, {**both, "ae2": 29.0}, vae16=6.0, ae16=8.0) == set()  # ae2 is unknown
    assert marked(ERROR, {**both, "ae2": None}, vae16=6.0, ae16=8.0) == {"vae16"}
    assert marked(ERROR, {"vae16": 6.0}, vae16=6.0, ae16=8.0) == set()
    higher = ERROR._replace(better="higher")
    assert marked(higher, {"vae16": 6.0, "ae16": 6.5}, vae16=6.0, ae16=8.0) == {"ae16"}
    assert marked(ERROR._replace(better=""), both, vae16=6.0, ae16=8.0) == set()
    other = ERROR._replace(path="distortion.psnr")
    assert marked(other, both, vae16=6.0, ae16=8.0) == set()  # which the study lacks


def test_without_a_study_nothing_is_marked() -> None:
    assert not any(cell.best for cell in row_of("lower", 1.0, 30.0, 2.0))


def test_a_cell_shows_what_was_measured() -> None:
    texts = [cell.text for cell in row_of("lower", None, 1.5, 3, "<script>", True, 1e301)]
    assert texts == ["–", "1.500", "3", "<script>", "–", "–"]


def test_a_standard_error_stands_beside_its_number() -> None:
    metric = Metric("a.b", "A", "how", better="lower", error="a.c")
    cells = row(metric, {"a": {"b": -8.0, "c": 0.123}}, {"a": {"b": 2.0}})
    assert cells == [Cell("−8.000 ± 0.12"), Cell("2.000")]


def test_densities_are_not_ranked_against_likelihoods_of_gray_pixels() -> None:
    metric = Metric("likelihood.calibrated.nll", "NLL", "how", better="lower")
    study = found_by({("vae", 16): [5.0, 5.1, 5.2], ("vae", 2): [9.0, 9.1, 9.2]}, metric="nll")
    bernoulli: dict[str, float] = {}
    gaussian = {"variance": 0.01}
    for one, other, best in (
        (gaussian, gaussian, True),
        (bernoulli, bernoulli, True),
        (gaussian, bernoulli, False),
    ):
        measured = {
            "vae16": {"likelihood": {"calibrated": {"nll": 5.0}, **one}},
            "vae2": {"likelihood": {"calibrated": {"nll": 9.0}, **other}},
        }
        assert [cell.best for cell in compare(metric, measured, study)] == [best, False]


def test_every_metric_has_a_row_of_its_own() -> None:
    first, rest = (table.groups for table in comparison(MODELS, measured()))
    metrics = {metric.path: metric for metrics in METRICS.values() for metric in metrics}
    assert [row[0].text for row in first[""]] == [row_name(metrics[path]) for path in MATTER]
    assert {group: [row[0].text for row in rows] for group, rows in rest.items()} == {
        group: names
        for group, metrics in METRICS.items()
        if (names := [row_name(metric) for metric in metrics if metric.path not in MATTER])
    }
    assert {len(row) for rows in rest.values() for row in rows} == {1 + len(MODELS)}


def test_numbers_that_say_nothing_are_left_out() -> None:
    _, rest = comparison(MODELS, measured())
    shown = {
        row[0].text: [cell.text != "–" for cell in row[1:]]
        for rows in rest.groups.values()
        for row in rows
    }
    # In the order of vae16, vae2, ae16, ae2, sigma16, whose objective is another.
    assert shown["Training loss of 512 images"] == [True, True, True, True, False]
    assert shown["Training loss, per image"] == [True] * 5
    for name in ("Trustworthiness of the map, at most 1", "Neighbours kept by PCA, at most 1"):
        assert shown[name] == [True, False, True, False, True]  # a plane is its own map


def test_rows_that_no_model_has_are_left_out() -> None:
    tables = comparison({n: MODELS[n] for n in ("ae16", "ae2")}, measured("ae16", "ae2"))
    assert "Squared error" in str(tables)
    assert "NLL" not in str(tables)
    assert all(all(table.groups.values()) for table in tables)


def test_a_calibrated_gaussian_competes_under_calibration() -> None:
    metrics = measured()
    metrics["sigma16"]["likelihood"]["nll"] = -900.0
    errors = {("vae", 16): [5.0, 5.1], ("vae", 2): [9.0, 9.1], ("sigma", 16): [1.0, 1.1]}
    first, _ = comparison(MODELS, metrics, found_by(errors, metric="nll"))
    (calibrated,) = (row for row in first.groups[""] if "NLL, calibrated" in row[0].text)
    assert [cell.best for cell in calibrated[1:]] == [False, False, False, False, True]
