"""What the seeds of a grid say together: means, spreads and intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from mnist_vae.files.store import Arrays
from mnist_vae.files.trials import LEADING

LEVEL = 0.95
"""Of the intervals."""


class Spread(NamedTuple):
    """Some values, described; NaN where one value alone says nothing."""

    seeds: int
    mean: float
    sd: float
    """Standard deviation of the values, by seeds - 1."""
    low: float
    high: float
    """Ends of the interval of their mean."""


def spread(values: np.ndarray, level: float = LEVEL) -> Spread:
    """Mean and standard deviation of values [N], and Student's t interval of the mean.

    The interval holds the mean of all seeds there are with this probability if the values are
    normally distributed, which so few cannot show. Raises ValueError for none or for a NaN.
    """
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"values are {x}, must be at least one finite number")
    mean = float(x.mean())
    if len(x) == 1:
        return Spread(1, mean, math.nan, math.nan, math.nan)
    sd = float(x.std(ddof=1))
    half = float(special.stdtrit(len(x) - 1, 0.5 + level / 2)) * sd / math.sqrt(len(x))
    return Spread(len(x), mean, sd, mean - half, mean + half)


def measured(table: Arrays) -> list[str]:
    """The columns of a study's table that were measured."""
    return [name for name in table if name not in LEADING]


def models(table: Arrays) -> list[str]:
    """The models of a table, in its order."""
    return [str(name) for name in dict.fromkeys(table["model"].tolist())]


def is_sweep(table: Arrays) -> bool:
    """Whether a grid is of VAEs alone, three or more, which differ in their KL weight."""
    return len(models(table)) > 2 and set(table["kind"]) == {"vae"}


def select(table: Arrays, model: str, dims: int) -> Arrays:
    """The rows of one model at one number of latent dimensions, sorted by seed."""
    rows = np.flatnonzero((table["model"] == model) & (table["latent_dim"] == dims))
    rows = rows[np.argsort(table["seed"][rows], kind="stable")]
    return {name: column[rows] for name, column in table.items()}


SUMMARY = ("model", "latent_dim", "metric", *Spread._fields)
"""The columns of ``summarize``."""


def summarize(table: Arrays) -> list[dict[str, float | str]]:
    """A row for each model, number of dimensions and metric: mean, spread and interval."""
    return list(_summaries(table))


def _summaries(table: Arrays) -> Iterator[dict[str, float | str]]:
    for model in models(table):
        for dims in np.unique(table["latent_dim"][table["model"] == model]).tolist():
            rows = select(table, model, dims)
            for metric in measured(table):
                if np.isnan(rows[metric]).all():
                    continue
                described = spread(rows[metric][~np.isnan(rows[metric])])._asdict()
                yield {"model": model, "latent_dim": dims, "metric": metric} | {
                    name: "" if math.isnan(value) else value for name, value in described.items()
                }
