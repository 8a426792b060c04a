"""Metrics that the page takes, and those that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.pages import MODELS, REAL, metrics_of

from mnist_vae.errors import InputError
from mnist_vae.report.metrics import read_classifier, read_model, read_real


def write(folder: Path, name: str, metrics: dict[str, Any]) -> None:
    """Write a model's metrics as its stages do."""
    rest = dict(metrics)
    for kind in ("samples", "made"):
        part = {kind: rest.pop(kind, {})}
        (folder / f"{name}.{kind}.json").write_text(json.dumps(part))
    (folder / f"{name}.json").write_text(json.dumps(rest))


def put(metrics: dict[str, Any], path: str, value: Any) -> None:
    *keys, last = path.split(".")
    for key in keys:
        metrics = metrics.setdefault(key, {})
    metrics[last] = value


@pytest.mark.parametrize("name", MODELS)
def test_what_was_measured_comes_back_together(tmp_path: Path, name: str) -> None:
    metrics = metrics_of(name)
    write(tmp_path, name, metrics)
    assert read_model(name, name == "vae16", tmp_path) == metrics


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("likelihood.nll", -1e4),
        ("likelihood.calibrated.elbo", -1e6),
        ("likelihood.bits_per_dimension", -9.0),
        ("train.loss", -700.0),
        ("train.loss_per_batch_of_512", -1e5),
        ("distortion.psnr", -1.0),
        ("latent.silhouette", -0.5),
        ("rate.kl", -1e-17),
        ("map.trustworthiness", 1.0),
        ("latent.knn_accuracy", 100),
        ("samples.mixture.too_near", 0.0),
        ("samples.mixture.frechet", 1e6),
    ],
)
def test_numbers_that_can_be(tmp_path: Path, path: str, value: float) -> None:
    metrics = metrics_of("vae2")
    put(metrics, path, value)
    write(tmp_path, "vae2", metrics)
    assert read_model("vae2", False, tmp_path) == metrics | {"samples": metrics["samples"]}


SIGNED, AT_LEAST_0, PERCENT = (
    "-1e+300 to 1e+300",
    "0 to 1e+300",
    "0 to 100",
)


@pytest.mark.parametrize(
    ("path", "value", "allowed"),
    [
        ("epochs", True, AT_LEAST_0),
        ("parameters", "many", AT_LEAST_0),
        ("parameters", [1], AT_LEAST_0),
        ("train.squared_error", -1.0, AT_LEAST_0),
        ("train.loss", "low", SIGNED),
        ("train.kl", -1, AT_LEAST_0),
        ("distortion.squared_error", -0.5, AT_LEAST_0),
        ("distortion.squared_error_sampled", False, AT_LEAST_0),
        ("rate.kl", -0.1, AT_LEAST_0),
        ("rate.active_units", -1, AT_LEAST_0),
        ("likelihood.variance", -1e-3, AT_LEAST_0),
        ("likelihood.nll", 1e301, SIGNED),
        ("likelihood.nll_standard_error", -1.0, AT_LEAST_0),
        ("likelihood.effective_samples", {}, AT_LEAST_0),
        ("audit.ratio", -1.0, AT_LEAST_0),
        ("latent.knn_accuracy", 100.1, PERCENT),
        ("latent.probe_accuracy", -1, PERCENT),
        ("latent.silhouette", 1.1, "-1 to 1"),
        ("map.trustworthiness", 1.5, "0 to 1"),
        ("samples.mixture.frechet", -3.0, AT_LEAST_0),
        ("samples.classes.as_asked", 101, PERCENT),
        ("samples.gaussian.recall", True, PERCENT),
        ("samples.standard.entropy", "high", AT_LEAST_0),
        ("made.test_accuracy", 250.0, PERCENT),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, path: str, value: object, allowed: str) -> None:
    metrics = metrics_of("vae16")
    put(metrics, path, value)
    write(tmp_path, "vae16", metrics)
    kind = path.partition(".")[0]
    file = tmp_path / (f"vae16.{kind}.json" if kind in ("samples", "made") else "vae16.json")
    with pytest.raises(InputError) as error:
        read_model("vae16", True, tmp_path)
    expected = f"{file}: {path}: found {value!r}, must be a number from {allowed}; delete it and"
    assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("file", "message"),
    [("vae16", "lacks epochs"), ("vae16.samples", "lacks samples"), ("vae16.made", "lacks made")],
)
def test_a_file_with_nothing_in_it(tmp_path: Path, file: str, message: str) -> None:
    write(tmp_path, "vae16", metrics_of("vae16"))
    (tmp_path / f"{file}.json").write_text("{}")
    with pytest.raises(InputError) as error:
        read_model("vae16", True, tmp_path)
    assert str(error.value).startswith(f"{tmp_path / file}.json: {message}")


def test_samples_that_are_no_mapping(tmp_path: Path) -> None:
    write(tmp_path, "ae2", metrics_of("ae2"))
    (tmp_path / "ae2.samples.json").write_text('{"samples": 3}')
    with pytest.raises(
        InputError, match=r"ae2\.samples\.json: samples: found 3, must be a mapping"
    ):
        read_model("ae2", False, tmp_path)


def test_real_images_and_the_classifier(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(REAL))
    assert read_real(path) == REAL
    path.write_text("{}")
    assert read_real(path) == read_classifier(path) == {}  # of images without labels
    path.write_text('{"frechet_deviation": -1}')
    with pytest.raises(InputError, match=r"file\.json: frechet_deviation: found -1, must be"):
        read_real(path)
    path.write_text('{"test_accuracy": -1}')
    with pytest.raises(InputError, match=r"file\.json: test_accuracy: found -1, must be a number"):
        read_classifier(path)
