"""Posteriors beside the prior: the rate of each latent dimension, and the aggregate posterior.

Arrays of the wrong shape raise ValueError.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from mnist_vae.figures.maps import draw_map, halo_text, show_square, shown_side
from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import BLUE, DARK, LATENT_AXES, PALE, Classes


def draw_rate(ax: Axes, rate: np.ndarray, active: np.ndarray) -> None:
    """The rate in nats of each latent dimension [D], largest first, and which are active [D]."""
    check_shape("active", active, len(rate))
    order = np.argsort(-rate, kind="stable")
    places = np.arange(len(rate))
    for mask, colour, name in ((active, BLUE, "active"), (~active, PALE, "not active")):
        label = f"{name} ({mask.sum()} of {len(rate)})" if mask.any() else None
        ax.bar(
            places,
            np.where(mask, rate, 0)[order],
            min(0.8, len(rate) / 8),
            color=colour,
            label=label,
        )
    if len(rate) <= 32:
        ax.set_xticks(places, [str(dim) for dim in order])
    ax.set(xlabel="latent dimension, largest rate first", ylabel="rate in nats")
    ax.margins(y=0.2)  # room for the legend above the bars
    ax.legend(frameon=False, loc="upper right", ncols=2)


def draw_aggregate(ax: Axes, samples: np.ndarray, span: float) -> None:
    """Density of one latent dimension over posterior samples [N], with the prior N(0, 1).

    From ``-span`` to ``span``.
    """
    check_shape("samples", samples, None)
    density, edges = np.histogram(samples, 80, (-span, span), density=True)
    z = np.linspace(-span, span, 400)
    ax.stairs(density, edges, fill=True, color=BLUE, label="posterior of all images")
    ax.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color=DARK, label="prior")
    ax.set(xlim=(-span, span), ylim=(0, None), yticks=[])
    ax.spines["left"].set_visible(False)


def draw_aggregate_plane(
    ax: Axes,
    samples: np.ndarray,
    labels: np.ndarray | None,
    classes: Classes | None,
    size: float,
) -> None:
    """Posterior samples [N, 2] of a 2-d model, with circles at 1, 2 and 3 sigma of the prior."""
    draw_map(ax, samples, labels, classes, size, LATENT_AXES)
    for sigma in (1, 2, 3):
        ax.add_patch(Circle((0, 0), sigma, fill=False, color=DARK, linewidth=1.5))
    span = np.ptp(np.concatenate([samples, [[-3, -3], [3, 3]]]), axis=0).max()
    room = -3 - 0.07 * span  # for what stands below the circles
    show_square(ax, np.concatenate([samples, [[-3, room], [3, 3]]]))
    below = -3 - 0.03 * shown_side(ax)
    halo_text(ax, (0, below), "prior at 1, 2, 3σ", fontsize=11, fontweight="normal")
