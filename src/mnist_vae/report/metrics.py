"""Metrics as the page takes them: each is a number that can be, or its file is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mnist_vae import settings
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.measure.catalog import METRICS, SAMPLED, lookup

ALWAYS = ("epochs", "parameters", "train.loss", "train.squared_error", "distortion.squared_error")
"""What every model has."""
BETWEEN = {"%": (0.0, 100.0), "at most 1": (0.0, 1.0), "−1 to 1": (-1.0, 1.0)}
"""Where numbers of a unit lie; all others are at least 0, but for those of any sign."""
ANY_SIGN = ("loss", "loss_per_batch_of_512", "psnr", "elbo", "nll", "bits_per_dimension")
"""The last keys of those."""
MOST = 1e300  # beyond, sums and drawings overflow
ROUNDING = 1e-6

UNITS = {metric.path: metric.unit for metrics in METRICS.values() for metric in metrics}
UNITS |= {metric.error: "" for metrics in METRICS.values() for metric in metrics if metric.error}
UNITS |= dict.fromkeys(("audit.beta", "audit.calibrated_variance", "audit.ratio"), "")
OF_SAMPLES = {metric.path: metric.unit for metric in SAMPLED} | {"frechet_deviation": ""}


def read_model(name: str, made: bool, folder: Path = Path("reports/metrics")) -> dict[str, Any]:
    """All that was measured of a model, by whichever stage.

    Raises InputError that names the file and the key for what is missing, no number, or a number
    that cannot be, such as a negative error.
    """
    path = folder / f"{name}.json"
    metrics = store.read_json(path)
    _need(path, metrics, ALWAYS)
    _check(path, metrics, UNITS)
    for kind in ("samples", "made") if made else ("samples",):
        beside = folder / f"{name}.{kind}.json"
        found = store.read_json(beside)
        _need(beside, found, [kind])
        units = UNITS
        if kind == "samples":
            priors = settings.check(found[kind], dict[str, object], f"{beside}: samples")
            units = UNITS | {
                f"samples.{p}.{key}": u for p in priors for key, u in OF_SAMPLES.items()
            }
        _check(beside, found, units)
        metrics |= found
    return metrics


def read_real(path: Path) -> dict[str, Any]:
    """What was measured of real images, nothing where there is no classifier; as ``read_model``."""
    numbers = store.read_json(path)
    _check(path, numbers, OF_SAMPLES)
    return numbers


def read_classifier(path: Path) -> dict[str, Any]:
    """What was measured of the classifier, and what its images are; as ``read_model``."""
    found = store.read_json(path)
    _check(path, found, {"test_accuracy": "%"})
    return found


def _need(path: Path, metrics: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if lookup(metrics, key) is None:
            raise InputError(f"{path}: lacks {key}{store.AGAIN}")


def _check(path: Path, metrics: Mapping[str, Any], units: Mapping[str, str]) -> None:
    """Refuse what is there and no number, or out of the range of its unit."""
    for key, unit in units.items():
        value = lookup(metrics, key)
        if value is None:
            continue
        signed = key.rpartition(".")[2] in ANY_SIGN
        least, most = BETWEEN.get(unit, (-MOST if signed else 0.0, MOST))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not least - ROUNDING <= value <= most + ROUNDING:
            must = f"must be a number from {least:g} to {most:g}"
            raise InputError(f"{path}: {key}: found {value!r}, {must}{store.AGAIN}")
