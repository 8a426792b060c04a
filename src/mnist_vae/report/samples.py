"""What the models make, prior by prior, beside real images."""

from __future__ import annotations

from collections.abc import Mapping

from mnist_vae.measure.catalog import SAMPLED, Metric, lookup
from mnist_vae.report.document import Block, Cell, Paragraph, Table
from mnist_vae.report.tables import ABSENT, Metrics, number, row_name, show

PRIORS = {
    "standard": "N(0, I)",
    "gaussian": "Gaussian",
    "mixture": "mixture",
    "classes": "mixture of each class",
}
"""What the priors are called that samples are drawn from."""


def samples(measured: Mapping[str, Metrics], real: Metrics) -> list[Block]:
    """A table of all models: a row for each prior, for reconstructions and for real images."""
    kinds = {**PRIORS, "reconstructions": "reconstructions"}
    found = {"": {"real images": real}} | {
        model: {name: lookup(metrics, f"samples.{key}") for key, name in kinds.items()}
        for model, metrics in measured.items()
    }
    rows = {
        model: {name: numbers for name, numbers in group.items() if numbers}
        for model, group in found.items()
    }
    every = [numbers for group in rows.values() for numbers in group.values()]
    shown = [m for m in SAMPLED if any(number(numbers, m.path) is not None for numbers in every)]
    if not shown:
        return []
    introduction = (
        "Latents to decode come from N(0, I), which a VAE is trained towards, or from what was "
        "fitted to the latents of training images: a Gaussian, a mixture of Gaussians, or, where "
        "there are labels, a mixture for each class, which makes labelled pictures."
    )
    groups = {
        model: [
            [Cell(name), *(_cell(m, numbers) for m in shown)] for name, numbers in group.items()
        ]
        for model, group in rows.items()
        if group
    }
    head = ["", *map(row_name, shown)]
    return [Paragraph([introduction]), Table("Samples of each prior", head, groups)]


def best(metrics: Metrics) -> tuple[str, float] | None:
    """The least Fréchet distance of a model's samples, over its priors, behind its path."""
    paths = [f"samples.{prior}.frechet" for prior in PRIORS]
    found = {path: d for path in paths if (d := number(metrics, path)) is not None}
    return min(found.items(), key=lambda item: item[1], default=None)


def _cell(metric: Metric, numbers: Metrics) -> Cell:
    value = number(numbers, metric.path)
    if value is None:
        return Cell(ABSENT)
    deviation = number(numbers, f"{metric.path}_deviation")
    return Cell(show(value, 3) + ("" if deviation is None else f" ± {show(deviation, 2)}"))
