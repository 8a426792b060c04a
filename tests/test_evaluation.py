"""Evaluation of small untrained models, against integrals, closed forms and the objective."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

from mnist_vae import evaluation, metrics, params
from mnist_vae.errors import InputError
from mnist_vae.evaluation import EvaluateSettings
from mnist_vae.files.store import Arrays
from mnist_vae.latents import views
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE

Likelihood = Literal["fixed", "gaussian", "bernoulli"]
HOW = EvaluateSettings(samples=3, images=40)
LABELS = np.random.default_rng(1).permutation(np.arange(256) % 10).astype(np.uint8)
KL_WEIGHT = 40.0  # a Gaussian of variance 20: an untrained posterior is about as wide as the exact


def states(likelihood: Likelihood, dim: int = 3, kl_weight: float = KL_WEIGHT) -> ModelSettings:
    return ModelSettings(kind="vae", latent_dim=dim, likelihood=likelihood, kl_weight=kl_weight)


def make_model(dim: int = 3, *, variational: bool = True) -> VAE:
    """A network with parameters that make its outputs vary."""
    torch.manual_seed(dim)
    network = VAE(dim, variational=variational).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.7)
    return network


def encoded(network: VAE, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, logvar = views.encode(network, images)
    assert logvar is not None
    return mean, logvar


@pytest.fixture
def images(blobs: np.ndarray) -> np.ndarray:
    """The blobs, uint8 [256, 28, 28]."""
    return blobs.copy()


@pytest.fixture
def pixels(images: np.ndarray) -> np.ndarray:
    return images / np.float32(255)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def measure(
    network: VAE,
    settings: ModelSettings,
    images: np.ndarray,
    how: EvaluateSettings = HOW,
    seed: int = 0,
) -> dict[str, Any]:
    mean, logvar = views.encode(network, images)
    latents = {"mean": mean, "labels": LABELS, "train_mean": mean, "train_labels": LABELS}
    curve = {"epoch": [1, 2], "loss": [90, 60], "squared_error": [80, 50]}
    if logvar is not None:
        latents["logvar"] = logvar
        curve["kl"] = [9, 8]
    maps = {"map": mean[:, :2], "pca": mean[:, 1:]}
    torch.manual_seed(0)
    table: Arrays = {name: np.array(column, float) for name, column in curve.items()}
    return evaluation.measure(
        network, settings, Classifier().eval(), latents, maps, images, table, how, seed
    )


# --- The likelihood -------------------------------------------------------------------------------


@pytest.mark.parametrize("likelihood", ["fixed", "gaussian", "bernoulli"])
def test_importance_sampling_finds_the_integral(
    pixels: np.ndarray, images: np.ndarray, rng: np.random.Generator, likelihood: Likelihood
) -> None:
    """log ∫ p(x|z) p(z) dz over the one latent dimension, on a fine grid."""
    network, variance, few = make_model(1), 30.0, np.s_[:6]
    z = np.linspace(-7, 7, 3001)
    with torch.no_grad():
        logits = network.decoder(torch.from_numpy(z).float()[:, None]).double()
    real = torch.from_numpy(pixels[few])[:, None].double()
    if likelihood == "bernoulli":
        log_likelihood = -torch.nn.functional.binary_cross_entropy_with_logits(
            logits[None].expand(6, *logits.shape),
            real[:, None].expand(6, *logits.shape),
            reduction="none",
        ).sum((2, 3, 4))
    else:
        stated = KL_WEIGHT / 2 if likelihood == "fixed" else variance
        normal = torch.distributions.Normal(logits.sigmoid(), math.sqrt(stated))
        log_likelihood = normal.log_prob(real[:, None]).sum((2, 3, 4))
    prior = -0.5 * (z**2 + math.log(2 * math.pi))
    exact = logsumexp(log_likelihood.numpy() + prior, axis=1) + math.log(z[1] - z[0])

    mean, logvar = encoded(network, images[few])
    found = evaluation.likelihood(
        network, states(likelihood, 1), pixels[few], mean, logvar, variance, 3000, rng
    )
    assert found["nll"] == pytest.approx(-exact.mean(), abs=0.02)
    assert found["elbo"] < -found["nll"]
    assert found["nll_standard_error"] == pytest.approx(exact.std(ddof=1) / 6**0.5, rel=0.05)
    assert found["bits_per_dimension"] == pytest.approx(found["nll"] / 784 / math.log(2))


def test_the_elbo_of_fixed_is_the_objective_in_other_units(
    pixels: np.ndarray, images: np.ndarray
) -> None:
    """-ELBO = (SSE + w·KL) / w + 784/2 · ln(2π · w/2), for the same noise."""
    network, weight, size = make_model(), 0.25, views.BATCH
    mean, logvar = encoded(network, images[:size])
    noise = torch.from_numpy(np.random.default_rng(3).standard_normal((size, 3))).float()
    real = torch.from_numpy(pixels[:size])[:, None]
    with torch.no_grad():
        output = network(real, noise)
    error = (output.logits.sigmoid() - real).square().sum((1, 2, 3)).double()
    posterior = torch.distributions.Normal(output.mean, (0.5 * output.logvar).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(posterior, prior).sum(1)
    loss = float((error + weight * kl).mean())

    found = evaluation.likelihood(
        network,
        states("fixed", kl_weight=weight),
        pixels[:size],
        mean,
        logvar,
        1.0,
        1,
        np.random.default_rng(3),
    )
    assert found["variance"] == weight / 2
    constant = 392 * math.log(math.pi * weight)
    assert -found["elbo"] == pytest.approx(loss / weight + constant, rel=1e-6)


@pytest.mark.parametrize("likelihood", ["fixed", "gaussian", "bernoulli"])
def test_the_nll_falls_from_the_negative_elbo(
    pixels: np.ndarray, images: np.ndarray, likelihood: Likelihood
) -> None:
    network = make_model()
    mean, logvar = encoded(network, images)

    def under(samples: int) -> dict[str, float]:
        rng = np.random.default_rng(0)
        settings = states(likelihood)
        found = evaluation.likelihood(network, settings, pixels, mean, logvar, 9.0, samples, rng)
        return {k: v for k, v in found.items() if k != "calibrated"}

    one, many = under(1), under(40)
    noise = 4 * math.sqrt(3 / 2 / len(images))  # of the KL in closed form against one draw
    assert one["nll"] == pytest.approx(-one["elbo"], abs=noise)
    assert many["nll"] < -many["elbo"]
    assert many["nll"] < one["nll"]


def test_fixed_is_also_measured_as_the_calibrated_gaussian(
    pixels: np.ndarray, images: np.ndarray
) -> None:
    network = make_model()
    mean, logvar = encoded(network, images)
    fixed, gaussian = (
        evaluation.likelihood(
            network, states(which), pixels, mean, logvar, 0.1, 5, np.random.default_rng(0)
        )
        for which in ("fixed", "gaussian")
    )
    assert fixed["calibrated"] == gaussian
    assert gaussian["variance"] == 0.1


def test_without_kl_weight_only_the_calibrated_likelihood_is_left(
    pixels: np.ndarray, images: np.ndarray, rng: np.random.Generator
) -> None:
    network = make_model()
    mean, logvar = encoded(network, images)
    settings = states("fixed", kl_weight=0.0)
    found = evaluation.likelihood(network, settings, pixels, mean, logvar, 0.1, 2, rng)
    assert found.keys() == {"calibrated"}


@pytest.mark.parametrize("batch", [1, 100, 256])
def test_draws_are_from_the_posterior_of_each_image(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray, pixels: np.ndarray, batch: int
) -> None:
    """With no width the draw is the mean, and its error that of the reconstruction."""
    network = make_model()
    monkeypatch.setattr(views, "BATCH", batch)
    mean, _ = encoded(network, images)
    narrow = np.full_like(mean, -40)
    draws = evaluation.draw(
        network, states("fixed"), pixels, mean, narrow, 2, np.random.default_rng(0)
    )
    expected = metrics.squared_error(pixels, views.decode(network, mean))
    np.testing.assert_allclose(draws.score, np.stack([expected] * 2, 1), rtol=1e-5)
    # -log q is -ln of the width: 20 nats less for each of three dimensions.
    assert draws.log_ratio.mean() == pytest.approx(
        -60 + 1.5 - 0.5 * (mean.astype(float) ** 2).sum(1).mean(), abs=0.5
    )


def test_a_posterior_that_is_the_prior_has_no_ratio(pixels: np.ndarray) -> None:
    zero = np.zeros((256, 3), np.float32)
    draws = evaluation.draw(
        make_model(), states("fixed"), pixels, zero, zero, 4, np.random.default_rng(0)
    )
    assert (draws.log_ratio == 0).all()
    assert len(np.unique(draws.score)) == 256 * 4


# --- The audit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likelihood", "expected"),
    [
        (
            "fixed",
            {"beta": 1.0, "implied_variance": 1.0, "calibrated_variance": 0.05, "ratio": 0.05},
        ),
        (
            "gaussian",
            {"beta": 0.08, "implied_variance": 0.08, "calibrated_variance": 0.05, "ratio": 0.625},
        ),
        ("bernoulli", {"beta": 2.0, "ratio": 0.5}),
    ],
)
def test_audit_of_each_likelihood(likelihood: Likelihood, expected: dict[str, float]) -> None:
    found = evaluation.audit_numbers(states(likelihood, kl_weight=2.0), 0.05, 10.0, 0.04)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("likelihood", "keys"),
    [
        ("fixed", {"beta", "implied_variance", "calibrated_variance"}),
        ("gaussian", {"beta", "implied_variance", "calibrated_variance"}),
        ("bernoulli", {"beta"}),
    ],
)
def test_a_kl_without_weight_has_no_ratio(likelihood: Likelihood, keys: set[str]) -> None:
    found = evaluation.audit_numbers(states(likelihood, kl_weight=0.0), 0.05, 10.0, 0.04)
    assert found.keys() == keys
    assert found["beta"] == 0


def test_a_collapsed_model(images: np.ndarray) -> None:
    """No rate, no active unit, nothing gained by more samples but the same NLL as the ELBO."""
    network = make_model()
    with torch.no_grad():
        for head in (network.mean, network.logvar):
            assert head is not None
            head.weight.zero_()
            head.bias.zero_()
        first = network.decoder[0]
        assert isinstance(first, torch.nn.Linear)
        first.weight.zero_()
    found = measure(network, states("fixed"), images)
    assert found["rate"] == {"kl": 0, "active_units": 0, "per_dimension": [0, 0, 0]}
    assert found["likelihood"]["nll"] == pytest.approx(-found["likelihood"]["elbo"], rel=1e-12)
    assert found["distortion"]["squared_error_sampled"] == pytest.approx(
        found["distortion"]["squared_error"]
    )
    assert found["audit"]["ratio"] == pytest.approx(
        found["distortion"]["per_pixel"] / (KL_WEIGHT / 2)
    )
    assert found["samples"]["digit_entropy"] == 0


# --- Everything together --------------------------------------------------------------------------

TERMS = {"elbo", "nll", "nll_standard_error", "bits_per_dimension"}
COMMON: dict[str, set[str]] = {
    "train": {"loss_per_batch_of_512", "loss", "squared_error"},
    "distortion": {"squared_error", "per_pixel", "psnr"},
    "latent": {"knn_accuracy", "probe_accuracy", "silhouette"},
    "map": {"trustworthiness", "preservation"},
    "pca": {"trustworthiness", "preservation"},
    "samples": {"frechet_reconstructions", "frechet_floor", "digits_kept"},
}
OF_VAE: dict[str, set[str]] = COMMON | {
    "train": COMMON["train"] | {"kl"},
    "distortion": COMMON["distortion"] | {"squared_error_sampled"},
    "rate": {"kl", "active_units", "per_dimension"},
    "audit": {"beta", "implied_variance", "calibrated_variance", "ratio"},
    "likelihood": TERMS | {"variance"},
    "samples": COMMON["samples"] | {"frechet_prior", "digit_entropy"},
}


@pytest.mark.parametrize(
    ("settings", "sections"),
    [
        (ModelSettings(kind="ae", latent_dim=3), COMMON),
        (states("fixed"), OF_VAE | {"likelihood": TERMS | {"variance", "calibrated"}}),
        (states("gaussian"), OF_VAE),
        (states("bernoulli"), OF_VAE | {"likelihood": TERMS, "audit": {"beta", "ratio"}}),
    ],
    ids=["ae", "fixed", "gaussian", "bernoulli"],
)
def test_what_a_model_is_measured_by(
    images: np.ndarray, settings: ModelSettings, sections: dict[str, set[str]]
) -> None:
    network = make_model(variational=settings.kind == "vae")
    found = measure(network, settings, images)
    assert found.pop("epochs") == 2
    assert found.pop("parameters") == sum(p.numel() for p in network.parameters())
    assert {name: set(section) for name, section in found.items()} == sections
    assert json.loads(json.dumps(found, allow_nan=False)) == found  # plain finite numbers


def test_the_numbers_are_those_of_the_metrics(images: np.ndarray, pixels: np.ndarray) -> None:
    network = make_model()
    found = measure(network, states("gaussian"), images)
    mean, logvar = encoded(network, images)
    errors = metrics.squared_error(pixels, views.decode(network, mean))
    assert found["distortion"]["squared_error"] == pytest.approx(errors.mean())
    assert found["rate"]["kl"] == pytest.approx(metrics.rate(mean, logvar).sum())
    assert found["rate"]["kl"] == pytest.approx(sum(found["rate"]["per_dimension"]))
    assert found["train"] == {
        "loss_per_batch_of_512": 512 * 60,
        "loss": 60,
        "squared_error": 50,
        "kl": 8,
    }
    assert found["likelihood"]["variance"] == 50 / 784  # the training set's
    sampled = found["distortion"]["squared_error_sampled"]
    assert sampled == pytest.approx(errors.mean(), rel=0.2)
    assert sampled != found["distortion"]["squared_error"]
    assert found["audit"]["calibrated_variance"] == pytest.approx(sampled / 784)
    assert found["latent"]["knn_accuracy"] == metrics.knn_accuracy(mean, LABELS, mean, LABELS)
    assert found["map"] == metrics.map_honesty(mean, mean[:, :2])._asdict()
    assert found["pca"] == metrics.map_honesty(mean, mean[:, 1:])._asdict()


def test_a_seed_decides_what_is_drawn_and_nothing_else(images: np.ndarray) -> None:
    network = make_model()
    first, again, other = (measure(network, states("fixed"), images, seed=s) for s in (1, 1, 2))
    assert first == again
    changed = {name for name in first if first[name] != other[name]}
    assert changed == {"distortion", "audit", "likelihood", "samples"}


@pytest.mark.parametrize(
    ("asked", "chosen"), [(2, [0, 255]), (256, range(256)), (10_000, range(256))]
)
def test_the_likelihood_is_of_images_spread_over_the_test_set(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray, asked: int, chosen: list[int]
) -> None:
    given = []

    def likelihood(
        vae: VAE, settings: ModelSettings, pixels: np.ndarray, *_: Any
    ) -> dict[str, Any]:
        given.append(pixels)
        return {}

    monkeypatch.setattr(evaluation, "likelihood", likelihood)
    measure(make_model(), states("fixed"), images, EvaluateSettings(samples=1, images=asked))
    np.testing.assert_array_equal(given[0], images[list(chosen)] / np.float32(255))


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("valid", [{"samples": 1, "images": 2}, {"samples": 50, "images": 10_000}])
def test_settings(valid: dict[str, int]) -> None:
    found = params.check(valid, EvaluateSettings, "evaluate")
    assert dataclasses.asdict(found) == valid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "evaluate.samples: found 0, must be from 1 to 10000"),
        ({"images": 1}, "evaluate.images: found 1, must be from 2 to 10000"),
        ({"images": 10_001}, "evaluate.images: found 10001, must be from 2 to 10000"),
    ],
)
def test_settings_out_of_range(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check({"samples": 50, "images": 1000} | change, EvaluateSettings, "evaluate")
    assert str(error.value) == message
