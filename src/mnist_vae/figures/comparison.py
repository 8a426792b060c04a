"""All models in one figure: the plane of rate and distortion."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import ACCENT, STYLE, WIDTH


@matplotlib.rc_context(STYLE)
def of_all_models(names: Sequence[str], rates: np.ndarray, distortions: np.ndarray) -> Figure:
    """The one figure with all models in it: their rates [M] and distortions [M]."""
    figure = Figure((WIDTH, 4.6), layout="constrained")
    draw_rate_distortion(figure.subplots(), names, rates, distortions)
    return figure


def draw_rate_distortion(
    ax: Axes, names: Sequence[str], rates: np.ndarray, distortions: np.ndarray
) -> None:
    """Each model as a point: rate in nats [M] and distortion, squared error per image [M].

    Raises ValueError unless there are as many of both as names.
    """
    check_shape("rates", rates, len(names))
    check_shape("distortions", distortions, len(names))
    ax.scatter(rates, distortions, s=45, color=ACCENT, zorder=3, clip_on=False)
    ax.margins(0.2)
    for name, rate, distortion in zip(names, rates, distortions, strict=True):
        label = ax.annotate(name, (rate, distortion), (7, 7), textcoords="offset points")
        label.set_parse_math(False)
    ax.grid(alpha=0.3)
    ax.set(xlim=(0, None), ylim=(0, None))
    ax.set(
        xlabel="rate: KL in nats per image", ylabel="distortion: squared error of a draw, per image"
    )
