"""Numbers as a person reads them, and the tables that set models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from mnist_vae.measure.catalog import METRICS, SOURCES, Metric, lookup
from mnist_vae.report.document import Cell, Link, Table
from mnist_vae.report.study import Counterparts

Metrics: TypeAlias = Mapping[str, Any]
"""What the evaluate stage wrote about one model; what does not apply to it is absent."""

ABSENT = "–"
"""What a cell shows where a model has no such number."""


# ---- Numbers ------------------------------------------------------------------------------------


def number(metrics: Metrics, path: str) -> float | None:
    """The number at a path of dotted keys, or None where there is none."""
    value = lookup(metrics, path)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return value if abs(value) < 1e300 else None  # beyond, sums and drawings overflow


def show(value: float, digits: int = 4) -> str:
    """A number in so many digits for a person; whole numbers in full."""
    rounded = value if isinstance(value, int) else float(f"{value:.{digits}g}")
    if isinstance(value, int) or abs(rounded) >= min(1000, 10**digits):
        text = f"{rounded:,.0f}"
    elif 0 < abs(rounded) < 1e-4:
        factor, power = f"{rounded:.{digits - 1}e}".split("e")
        text = f"{factor}·10{str(int(power)).translate(_SUPERSCRIPT)}"
    else:
        text = f"{rounded:#.{digits}g}".removesuffix(".")
    return text.replace("-", "−")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def series(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def cite(source: str) -> Link:
    """A paper by its name in ``SOURCES``."""
    return Link(source, SOURCES[source])


# ---- Tables -------------------------------------------------------------------------------------


def row_name(metric: Metric) -> str:
    """The metric's label with its unit, and an arrow that says which values are better."""
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.label}{unit}{_ARROWS[metric.better]}"


_ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}


MATTER = (
    "distortion.squared_error",
    "rate.kl",
    "likelihood.calibrated.nll",
    "latent.knn_accuracy",
    "latent.probe_accuracy",
    "samples.standard.frechet",
    "samples.mixture.frechet",
    "made.test_accuracy",
)
"""Paths of the metrics that the comparison starts with."""


def comparison(
    models: Mapping[str, Any], measured: Mapping[str, Metrics], study: Counterparts | None = None
) -> tuple[Table, Table]:
    """The metrics that matter and all others, a column for each of the models of params.yaml.

    Rows that no model has are left out, and numbers that say nothing.
    """
    complete = {
        name: _telling(model, _with_own_calibration(measured.get(name, {})))
        for name, model in models.items()
    }
    first: list[list[Cell]] = []
    groups: dict[str, list[list[Cell]]] = {}
    for group, metrics in METRICS.items():
        for metric in metrics:
            cells = compare(metric, complete, study)
            if any(cell.text != ABSENT for cell in cells):
                rows = first if metric.path in MATTER else groups.setdefault(group, [])
                rows.append([Cell(row_name(metric)), *cells])
    head = ["", *models]
    return Table("What matters", head, {"": first}), Table("All other numbers", head, groups)


def _telling(model: object, metrics: Metrics) -> Metrics:
    """Without the notebook's loss where the objective is another, and maps of what is a plane."""
    settings = model if isinstance(model, Mapping) else {}
    dims, train = settings.get("latent_dim"), metrics.get("train")
    without = {"map", "pca"} if isinstance(dims, int) and dims <= 2 else set()
    telling = {key: value for key, value in metrics.items() if key not in without}
    if settings.get("likelihood", "fixed") != "fixed" and isinstance(train, Mapping):
        telling["train"] = {k: v for k, v in train.items() if k != "loss_per_batch_of_512"}
    return telling


def compare(
    metric: Metric, measured: Mapping[str, Metrics], study: Counterparts | None = None
) -> list[Cell]:
    """A cell for each model, the best marked.

    It is the best where it is better than each other's by the seeds of the study too: without a
    study none is. None is marked either where fewer than two models have the number, or where
    likelihoods of gray pixels stand beside densities, which have a variance.
    """
    values = {name: number(metrics, metric.path) for name, metrics in measured.items()}
    known = {name: value for name, value in values.items() if value is not None}
    has_variance = {number(measured[name], "likelihood.variance") is not None for name in known}
    comparable = not metric.path.startswith("likelihood.") or len(has_variance) == 1
    best = None
    if study and metric.better and comparable and len(known) > 1:
        lower = metric.better == "lower"
        first = sorted(known, key=lambda name: known[name], reverse=not lower)
        if study.beats(metric.path, first[0], first[1:], lower=lower):
            best = first[0]
    return [_cell(metric, measured[name], values[name], name == best) for name in measured]


def _cell(metric: Metric, metrics: Metrics, value: float | None, best: bool) -> Cell:
    if value is None:
        text = lookup(metrics, metric.path)
        return Cell(text if isinstance(text, str) else ABSENT)
    error = number(metrics, metric.error) if metric.error else None
    spread = f" ± {show(error, 2)}" if error is not None else ""
    return Cell(f"{show(value)}{spread}", best=best)


def _with_own_calibration(metrics: Metrics) -> Metrics:
    """With a ``calibrated`` part also for the Gaussian that was trained calibrated."""
    likelihood = metrics.get("likelihood")
    if not isinstance(likelihood, Mapping) or "variance" not in likelihood:
        return metrics
    return {**metrics, "likelihood": {"calibrated": likelihood, **likelihood}}


CURVES = ("model", "epoch", "loss", "squared_error")
"""The columns of ``long_table``."""


def long_table(curves: Mapping[str, Mapping[str, np.ndarray]]) -> list[dict[str, float | str]]:
    """The curves of all models as rows of ``CURVES``, for one chart of them all.

    That is of the squared error, which can be compared, and is positive where a loss need not be.
    """
    return [
        {"model": name, "epoch": int(epoch), "loss": float(loss), "squared_error": float(error)}
        for name, curve in curves.items()
        for epoch, loss, error in zip(
            *(curve[column] for column in ("epoch", "loss", "squared_error")), strict=True
        )
    ]
