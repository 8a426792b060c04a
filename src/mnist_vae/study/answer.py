"""Which of two models is better, by a paired test over seeds at each number of dimensions.

Two models of one seed see the same batches in the same order, so they are compared in pairs. Seven
looks, one at each number of dimensions, find a difference that is none more often than one look:
Holm's method (1979) keeps the chance of any such find at 5% in all. Each interval is at the level
at which the method tests its dimension, never below 95%: so it leaves out zero exactly where the
test finds a difference, and words and numbers cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, takewhile
from typing import NamedTuple

import numpy as np
from scipy import special

from mnist_vae.files.store import Arrays
from mnist_vae.study.summary import Spread, measured, models, select, spread

ALPHA = 0.05
"""Chance of calling any difference real, of all looks together, where there is none."""


class Comparison(NamedTuple):
    """The difference of two models at one number of latent dimensions: the one less the other."""

    dims: int
    difference: Spread
    """Over the seeds that both have, with the interval at ``level``."""
    values: tuple[float, ...]
    """Of each of these seeds."""
    level: float
    p: float
    """Of the paired t test, adjusted by Holm's method."""

    @property
    def differs(self) -> bool:
        """Whether a difference was found, which is when the interval leaves out zero."""
        return self.p <= ALPHA


def compare(table: Arrays, metric: str, one: str, other: str) -> list[Comparison]:
    """Two models at each number of dimensions at which both have two seeds or more in common.

    ``table`` is what files.trials reads. Paired t tests, which take the differences of the pairs
    as normally distributed.
    """
    differences = {
        dims: found
        for dims in np.unique(table["latent_dim"]).tolist()
        if len(found := paired(table, metric, (one, dims), (other, dims))) > 1
    }
    adjusted, levels = holm([paired_p(each) for each in differences.values()])
    return [
        Comparison(dims, spread(each, level), tuple(each.tolist()), level, p)
        for (dims, each), level, p in zip(differences.items(), levels, adjusted, strict=True)
    ]


def paired(table: Arrays, metric: str, one: tuple[str, int], other: tuple[str, int]) -> np.ndarray:
    """One's number less the other's of each seed that both have; each a model and its dimensions.

    float64, in the order of seeds.
    """
    values = []
    for model, dims in (one, other):
        rows = select(table, model, dims)
        known = np.isfinite(rows[metric])
        values.append(
            dict(zip(rows["seed"][known].tolist(), rows[metric][known].tolist(), strict=True))
        )
    seeds = sorted(values[0].keys() & values[1].keys())
    return np.array([values[0][seed] - values[1][seed] for seed in seeds], np.float64)


def beats(
    table: Arrays,
    metric: str,
    one: tuple[str, int],
    others: Sequence[tuple[str, int]],
    *,
    lower: bool,
) -> bool:
    """Whether one is better than each of the others, by paired t tests with Holm's correction.

    Better is what is ``lower``, or else what is higher. Of as many dimensions, two models differ
    only where ``compare`` says so too, which corrects for its looks at all dimensions.
    """
    differences = [paired(table, metric, one, other) for other in others]
    if any(len(each) < 2 for each in differences):
        return False
    name, dims = one
    for other, others_dims in others:
        looks = compare(table, metric, name, other) if others_dims == dims else []
        if not all(look.differs for look in looks if look.dims == dims):
            return False
    adjusted, _ = holm([paired_p(each) for each in differences])
    return all(
        p <= ALPHA and (each.mean() < 0) == lower
        for p, each in zip(adjusted, differences, strict=True)
    )


def paired_p(differences: np.ndarray) -> float:
    """Two-sided p of the paired t test that the mean of differences [N] is zero."""
    _, mean, sd, _, _ = spread(differences)
    if sd == 0:  # all the same: no chance in it
        return 1.0 if mean == 0 else 0.0
    t = abs(mean) / (sd / math.sqrt(len(differences)))
    return float(2 * special.stdtr(len(differences) - 1, -t))


def holm(p: Sequence[float]) -> tuple[list[float], list[float]]:
    """Holm's step-down method on p values: the adjusted ones, and the level of each interval.

    The smallest p of m is tested at 5% / m, the next at 5% / (m - 1), and so on until one is not
    rejected; that one's level holds for all that are left.
    """
    order = sorted(range(len(p)), key=lambda index: p[index])
    adjusted, levels = [0.0] * len(p), [0.0] * len(p)
    worst, tested, going = 0.0, ALPHA, True
    for step, index in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - step) * p[index]))
        if going:
            tested = ALPHA / (len(p) - step)
            going = worst <= ALPHA
        adjusted[index], levels[index] = worst, 1 - tested
    return adjusted, levels


COMPARISONS = (
    *("metric", "one", "other", "latent_dim"),
    *("seeds", "difference", "sd", "low", "high", "level", "p"),
)
"""The columns of ``comparisons``."""


def comparisons(table: Arrays) -> list[dict[str, float | str]]:
    """Rows that compare every two models of a table in every metric, at each dimension.

    Each metric of each pair is corrected for its looks at the dimensions, and not for the other
    metrics: who looks through all of them will find some by chance.
    """
    return [
        dict(
            zip(
                COMPARISONS,
                (metric, one, other, each.dims, *each.difference, each.level, each.p),
                strict=True,
            )
        )
        for metric in measured(table)
        if metric != "train_loss"  # of other objectives, which cannot be compared
        for other, one in combinations(models(table), 2)
        for each in compare(table, metric, one, other)
    ]


# ---- In words -----------------------------------------------------------------------------------


def answer(table: Arrays) -> list[str]:
    """Does the VAE overcome the plain autoencoder with enough dimensions? In sentences.

    By the squared error on test images of the first VAE and the first autoencoder of a table. A
    table without two seeds of both at one number of dimensions says that it cannot tell; one
    without both kinds answers another question, and says nothing.
    """
    if set(table["kind"].tolist()) != {"ae", "vae"}:
        return []
    found = vae_against_autoencoder(table)
    if not found:
        return [
            "This study cannot say: it has no two seeds of a VAE and an autoencoder with as many "
            "latent dimensions."
        ]
    if len(found) > 1 and not any(each.differs for each in found):
        dims = [each.dims for each in found]
        nowhere = (
            f"neither at {dims[0]} nor at {_count(dims[1])}"
            if len(dims) == 2
            else f"at none of {len(dims)} numbers of dimensions, {dims[0]} to {dims[-1]},"
        )
        return [
            f"It is not seen to: {nowhere} does the squared error of the VAE differ from the "
            f"autoencoder's by more than chance explains. {_what_could_hide(table, found)}",
            _findings(found),
            _method(found),
        ]
    most, others = found[-1], found[:-1]
    where = f"at {_count(most.dims)}{', the most tried,' if others else ''}"
    sentences = [_capital(f"{_verdict(found)}{where} {finding(most)}.")]
    if others:
        sentences.append(_findings(others))
    return [*sentences, _method(found)]


def vae_against_autoencoder(table: Arrays) -> list[Comparison]:
    """The squared error of the first VAE of a table less that of its first autoencoder."""
    if not {"ae", "vae"} <= set(table["kind"].tolist()):
        return []
    return compare(table, "squared_error", _first(table, "vae"), _first(table, "ae"))


def _first(table: Arrays, kind: str) -> str:
    """The first model of a kind in a table."""
    return str(table["model"][table["kind"] == kind][0])


def _verdict(found: Sequence[Comparison]) -> str:
    """Yes or no by the most dimensions, and from how many on; nothing where no test tells."""
    most = found[-1]
    if not most.differs:
        return ""
    if most.difference.mean > 0:
        return "no: "
    lower = takewhile(lambda each: each.differs and each.difference.mean < 0, reversed(found))
    first = list(lower)[-1]
    return "yes: " if first is most else f"yes, from {_count(first.dims)} on: "


def _findings(found: Sequence[Comparison]) -> str:
    each = [f"at {_count(comparison.dims)} {finding(comparison)}" for comparison in found]
    return _capital(f"{'; '.join(each)}.")


def _what_could_hide(table: Arrays, found: Sequence[Comparison]) -> str:
    """How large a difference the intervals leave room for, beside the autoencoder's error."""
    shares = {}
    for each in found:
        errors = select(table, _first(table, "ae"), each.dims)["squared_error"]
        bound = max(abs(each.difference.low), abs(each.difference.high))
        shares[each.dims] = 100 * bound / float(errors[np.isfinite(errors)].mean())
    least, most = (pick(shares, key=shares.__getitem__) for pick in (min, max))
    ends = [f"{_outward(shares[d], shares[d], up=True)}% (at {_count(d)})" for d in (least, most)]
    return f"The seeds leave room for a difference of {ends[0]} to {ends[1]}."


def finding(comparison: Comparison) -> str:
    """What comparing a VAE with an autoencoder found, which never says more than its interval."""
    _, mean, _, low, high = comparison.difference
    if not comparison.differs:
        bound = max(abs(low), abs(high))
        return f"no difference larger than {_outward(bound, bound, up=True)} is seen"
    whose = "the VAE" if mean < 0 else "the autoencoder"
    near, far = sorted((abs(low), abs(high)))
    width = far - near
    return (
        f"{whose}'s squared error is lower by {_outward(abs(mean), width)} "
        f"({_outward(near, width, up=False)} to {_outward(far, width, up=True)})"
    )


def _method(found: Sequence[Comparison]) -> str:
    counts = sorted({each.difference.seeds for each in found})
    seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    looks = f", with Holm's correction for {len(found)} looks" if len(found) > 1 else ""
    return (
        f"Squared errors are per test image, over {seeds} seeds. By a paired t test over seeds at "
        f"each number of dimensions{looks}, 5% in all; each interval is at the level of its test."
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _count(dims: int) -> str:
    return f"{dims} dimension{'' if dims == 1 else 's'}"


def _outward(value: float, scale: float, *, up: bool | None = None) -> str:
    """A number to two digits of a scale: rounded up, down, or to the nearest."""
    decimals = min(9, max(0, 1 - math.floor(math.log10(scale)))) if scale > 0 else 2
    factor = 10**decimals
    turn = round if up is None else math.ceil if up else math.floor
    # Less than what a sum of floats is wrong by must not push a number over.
    nudge = 0 if up is None else -1e-9 if up else 1e-9
    return f"{max(0.0, turn(value * factor + nudge) / factor):.{decimals}f}"
