"""What the tests of figures share: Axes to draw on."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def ax() -> Any:  # Matplotlib's types do not say what kinds of artists are drawn on Axes
    return Figure().subplots()
