"""All distances among points, without holding all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist

ROWS = 64  # rows of distances held at once: 5 MB of them for 10,000 points, about a cache


def distance_blocks(
    points: np.ndarray, metric: Literal["euclidean", "sqeuclidean"] = "euclidean"
) -> Iterator[tuple[slice, np.ndarray]]:
    """Distances among points [N, D], a few rows at a time: the rows and their distances [R, N]."""
    for start in range(0, len(points), ROWS):
        rows = slice(start, start + ROWS)
        yield rows, np.asarray(cdist(points[rows], points, metric))
