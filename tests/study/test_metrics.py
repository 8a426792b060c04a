"""What a study measures: the same numbers as the pipeline's, each group for itself."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from support.networks import make_network
from support.project import images_of

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.latents.codes import encode
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.measure import evaluate
from mnist_vae.measure.evaluate import Trained
from mnist_vae.measure.separability import knn_accuracy, probe_accuracy
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.likelihood import Name
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.settings import check
from mnist_vae.study.metrics import GROUPS, PRIORS, MeasureSettings, Numbers, measure, spread_evenly

SETTINGS = MeasureSettings(
    metrics=tuple(GROUPS),
    priors=tuple(PRIORS),
    components=2,
    fit_images=200,
    samples=40,
    likelihood_images=10,
    likelihood_samples=30,
)
TEST = {name: array[:60] for name, array in images_of("test").items()}
FIT = spread_evenly(images_of("train"), 200)


def trained(kind: str, likelihood: Name = "fixed") -> Trained:
    variational = kind == "vae"
    settings = ModelSettings(
        kind="vae" if variational else "ae",
        latent_dim=3,
        likelihood=likelihood,
        kl_weight=0.01 if variational else None,
    )
    curve = {"epoch": np.array([1.0, 2]), "loss": np.array([50.0, 40])}
    curve["squared_error"] = np.full(2, 784.0)  # a variance of 1
    return Trained(make_network(3, variational=variational), settings, curve)


def numbers(model: Trained, settings: MeasureSettings = SETTINGS, seed: int = 0) -> Numbers:
    torch.manual_seed(0)
    return measure(model, Classifier(), TEST, FIT, settings, seed)


def test_what_a_kind_lacks_is_absent() -> None:
    of_all = {"train_loss", "train_squared_error", "squared_error", "active_units"}
    of_all |= {"probe_accuracy", "knn_accuracy"}
    of_all |= {"frechet_gaussian", "frechet_mixture", "frechet_classes"}
    assert numbers(trained("ae")).keys() == of_all
    of_vaes = {"squared_error_sampled", "kl", "elbo", "nll", "effective_samples"}
    of_vaes |= {"frechet_standard"}
    assert numbers(trained("vae")).keys() == of_all | of_vaes


def test_what_needs_labels_is_absent_without_them() -> None:
    model = trained("vae")
    test, fit = ({"images": each["images"]} for each in (TEST, FIT))
    unlabelled = measure(model, None, test, fit, SETTINGS, 0)
    labelled = numbers(model)
    needing = {"probe_accuracy", "knn_accuracy"}
    needing |= {f"frechet_{prior}" for prior in SETTINGS.priors}
    assert unlabelled == {k: v for k, v in labelled.items() if k not in needing}


def test_colour_images_of_another_size_are_measured() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 3, 16, 16), dtype=np.uint8)
    arrays = {"images": images, "labels": np.arange(40, dtype=np.uint8) % 2}
    settings = ModelSettings(kind="vae", latent_dim=3, kl_weight=0.01)
    network = build(settings, image_size=16, channels=3).eval()
    model = Trained(network, settings, {"loss": np.ones(1), "squared_error": np.full(1, 768.0)})
    classifier = Classifier(2, image_size=16, channels=3)
    measured = measure(model, classifier, arrays, arrays, SETTINGS, 0)
    assert measured.keys() == numbers(trained("vae")).keys()
    assert all(map(math.isfinite, measured.values()))


@pytest.mark.parametrize("likelihood", ["fixed", "gaussian"])
def test_likelihoods_are_under_the_calibrated_variance(likelihood: Name) -> None:
    model = trained("vae", likelihood)
    chosen = spread_evenly(TEST, 10)["images"]
    posterior = encode(model.network, TEST["images"])
    assert posterior.logvar is not None
    few = spread_evenly({"mean": posterior.mean, "logvar": posterior.logvar}, 10)
    reference = evaluate.likelihood(
        trained("vae", "gaussian"),
        chosen / np.float32(255),
        Posterior(few["mean"], few["logvar"]),
        variance=1,
        samples=30,
        seed=seeds.number(0, "study likelihood"),
    )
    measured = numbers(model)
    for name in ("elbo", "nll", "effective_samples"):
        assert measured[name] == reference[name]


def test_numbers_agree_with_their_functions() -> None:
    model, measured = trained("ae"), numbers(trained("ae"))
    codes, fit = encode(model.network, TEST["images"]).mean, encode(model.network, FIT["images"])
    arrays = fit.mean, FIT["labels"], codes, TEST["labels"]
    assert measured["train_loss"] == 40
    assert measured["probe_accuracy"] == probe_accuracy(*arrays)
    assert measured["knn_accuracy"] == knn_accuracy(*arrays)


@pytest.mark.parametrize("left_out", GROUPS)
def test_a_group_left_out_changes_no_other(left_out: str) -> None:
    model = trained("vae")
    others = tuple(name for name in reversed(list(GROUPS)) if name != left_out)
    fewer = numbers(model, msgspec.structs.replace(SETTINGS, metrics=others))
    everything = numbers(model)
    assert fewer.items() < everything.items()


def test_what_is_drawn_depends_on_the_seed() -> None:
    one, other = numbers(trained("vae")), numbers(trained("vae"), seed=1)
    drawn = {"squared_error_sampled", "elbo", "nll", "effective_samples"}
    drawn |= {f"frechet_{prior}" for prior in SETTINGS.priors}
    assert {name for name in one if one[name] != other[name]} == drawn


@pytest.mark.parametrize(
    ("count", "rows"), [(1, [0]), (2, [0, 9]), (4, [0, 3, 6, 9]), (10, range(10)), (99, range(10))]
)
def test_subsets_are_spread_evenly(count: int, rows: list[int]) -> None:
    arrays = {"a": np.arange(10), "b": np.arange(20).reshape(10, 2)}
    few = spread_evenly(arrays, count)
    assert few["a"].tolist() == list(rows)
    np.testing.assert_array_equal(few["b"], arrays["b"][list(rows)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ["rat"]}, "metrics: found 'rat', must be among distortion, rate"),
        (
            {"priors": ["flat"]},
            "priors: found 'flat', must be among standard, gaussian, mixture, classes",
        ),
        ({"fit_images": 0}, "fit_images: found 0, must be from 10"),
    ],
)
def test_unknown_names_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(msgspec.to_builtins(SETTINGS) | change, MeasureSettings, "study.measure")
