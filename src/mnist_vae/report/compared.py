"""The figures of all models together, from what was measured of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_vae.figures import comparison
from mnist_vae.figures.study import draw_sweeps
from mnist_vae.figures.style import INK, STYLE, canvas
from mnist_vae.files.store import Arrays
from mnist_vae.measure.catalog import lookup
from mnist_vae.report.tables import Metrics, number
from mnist_vae.study.summary import is_sweep

HEIGHT = 3.9  # inches


@matplotlib.rc_context(STYLE)
def of_all_models(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    curves: Mapping[str, Arrays],
    tables: Sequence[Arrays] = (),
) -> dict[str, Figure]:
    """Figures by name, those of ``pictures.COMPARED`` for which there are numbers.

    ``models`` are those of params.yaml in the order in which they compare, ``measured`` their
    metrics, ``curves`` the courses of their trainings, by name; ``tables`` are those of the study,
    of which sweeps of the KL weight are drawn too.
    """
    look = comparison.looks(list(models))
    dims = {name: model["latent_dim"] for name, model in models.items()}
    errors = _numbers(measured, look, "distortion.squared_error")
    rates = {
        name: np.array(each)
        for name in look
        if isinstance(each := lookup(measured[name], "rate.per_dimension"), list)
    }
    sampled = _numbers(measured, look, "distortion.squared_error_sampled")
    kl = _numbers(measured, look, "rate.kl")
    # The distortion is of a draw from the posterior, as in the ELBO (Alemi et al. 2018).
    points = {name: (kl[name], sampled[name]) for name in kl if name in sampled}
    lines = {name: error for name, error in errors.items() if name not in kl}
    figures: dict[str, Figure] = {}

    def axes(name: str) -> Axes:
        figures[name] = canvas(HEIGHT)
        return figures[name].subplots()

    if errors:
        comparison.draw_errors(axes("answer"), look, dims, errors)
    squared = {name: curves[name]["squared_error"] for name in look}
    comparison.draw_losses(axes("losses"), look, squared)
    if rates:
        comparison.draw_rates(axes("rates"), look, rates)
    if points:
        plane = axes("rate_distortion")
        for table in filter(is_sweep, tables):
            draw_sweeps(plane, table, INK)
        comparison.draw_rate_distortion(plane, look, points, lines)
    return figures


def _numbers(
    measured: Mapping[str, Metrics], names: Mapping[str, object], path: str
) -> dict[str, float]:
    return {name: v for name in names if (v := number(measured[name], path)) is not None}
