"""The course of a training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from mnist_vae.figures.shapes import check_shape
from mnist_vae.figures.style import ACCENT


def draw_loss(ax: Axes, epoch: np.ndarray, loss: np.ndarray) -> None:
    """The loss per image [E] over epochs [E], on a log scale where it falls to a tenth."""
    check_shape("loss", loss, len(epoch))
    ax.plot(epoch, loss, color=ACCENT, marker="o", markersize=4 if len(epoch) <= 40 else 0)
    if 0 < 10 * loss.min() < loss.max():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(alpha=0.3)
    ax.set(xlabel="epoch", ylabel="loss per image")
