"""The curve of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_vae.figures.training import draw_loss


@pytest.mark.parametrize(
    ("loss", "scale"), [((70, 20, 6), "log"), ((50, 20, 6), "linear"), ((50, 6, -3), "linear")]
)
def test_the_loss_has_a_log_scale_where_it_helps(
    ax: Any, loss: tuple[float, ...], scale: str
) -> None:
    draw_loss(ax, np.arange(3), np.array(loss))
    assert ax.get_yscale() == scale
