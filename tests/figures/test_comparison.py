"""The plane of rate and distortion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_vae.figures.comparison import draw_rate_distortion


def test_models_are_named_where_they_are(ax: Any) -> None:
    draw_rate_distortion(ax, ["a", "b"], np.array([120.0, 20.0]), np.array([6.0, 15.0]))
    assert {text.get_text(): text.xy for text in ax.texts} == {"a": (120, 6), "b": (20, 15)}
    with pytest.raises(ValueError, match="distortions"):
        draw_rate_distortion(ax, ["a", "b"], np.zeros(2), np.zeros(3))
