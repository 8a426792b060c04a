"""Evaluation of small untrained models, against integrals, closed forms and the objective."""

from __future__ import annotations

import json
import math
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from support.networks import LABELS, collapse, make_network
from support.project import DIGITS, ROOT, edit, write_images
from torch.distributions import Bernoulli, Normal, kl_divergence

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.files import curves, store
from mnist_vae.files.latents import LATENTS
from mnist_vae.files.maps import MAPS, MapsFacts
from mnist_vae.files.store import Arrays
from mnist_vae.files.views import VIEWS
from mnist_vae.latents.codes import decode, encode
from mnist_vae.latents.posteriors import Posterior, sample
from mnist_vae.latents.views import EncodeSettings, explore
from mnist_vae.measure import evaluate
from mnist_vae.measure.distortion import distortion, squared_error
from mnist_vae.measure.evaluate import EvaluateSettings, Trained
from mnist_vae.measure.maps import map_quality
from mnist_vae.measure.rate import rate
from mnist_vae.measure.separability import knn_accuracy, probe_accuracy, silhouette
from mnist_vae.nets import weights
from mnist_vae.nets.devices import BATCH
from mnist_vae.nets.likelihood import Name
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import check

SETTINGS = EvaluateSettings(samples=100, images=40)
KL_WEIGHT = 40.0  # a Gaussian of variance 20: an untrained posterior is about as wide as the exact
each_likelihood = pytest.mark.parametrize("likelihood", ["fixed", "gaussian", "bernoulli"])


@pytest.fixture
def images(blobs: np.ndarray) -> np.ndarray:
    """The blobs, uint8 [256, 1, 28, 28]."""
    return blobs.copy()


@pytest.fixture
def pixels(images: np.ndarray) -> np.ndarray:
    return np.asarray(images / np.float32(255))


def trained(
    likelihood: Name | None, *, dim: int = 3, kl_weight: float = KL_WEIGHT, vae: VAE | None = None
) -> Trained:
    """A VAE of this likelihood, or an autoencoder, with the curve of two epochs."""
    curve: Arrays = {
        "epoch": np.array([1.0, 2]),
        "loss": np.array([90.0, 60]),
        "squared_error": np.array([80.0, 50]),
    }
    settings = ModelSettings(kind="ae", latent_dim=dim)
    if likelihood is not None:
        curve["kl"] = np.array([9.0, 8])
        settings = ModelSettings(
            kind="vae", latent_dim=dim, likelihood=likelihood, kl_weight=kl_weight
        )
    network = vae or make_network(dim, variational=likelihood is not None)
    return Trained(network, settings, curve)


def measure(
    model: Trained, images: np.ndarray, settings: EvaluateSettings = SETTINGS, seed: int = 0
) -> dict[str, Any]:
    mean, logvar = encode(model.network, images)
    latents = {"mean": mean, "labels": LABELS, "train_mean": mean[::-1], "train_labels": LABELS}
    if logvar is not None:
        latents["logvar"] = logvar
    maps = {"map": mean[:, :2], "pca": mean[:, 1:]}
    return evaluate.measure(model, images, latents, maps, settings=settings, seed=seed)


def likelihood_of(
    model: Trained, pixels: np.ndarray, images: np.ndarray, variance: float, samples: int
) -> dict[str, Any]:
    """The likelihood of pixels by draws from the posteriors of the same images."""
    posterior = encode(model.network, images)
    return evaluate.likelihood(model, pixels, posterior, variance=variance, samples=samples, seed=3)


def test_few_images_without_labels_are_measured(images: np.ndarray) -> None:
    model, few = trained("fixed"), images[:15]
    mean, logvar = encode(model.network, few)
    assert logvar is not None
    maps = {"map": mean[:, :2], "pca": mean[:, 1:]}
    measured = evaluate.measure(
        model,
        few,
        {"mean": mean, "logvar": logvar},
        maps,
        settings=EvaluateSettings(samples=10, images=4),
        seed=3,
    )
    assert "latent" not in measured
    for name, points in maps.items():  # by 7 neighbours, less than half of 15
        assert measured[name] == map_quality(mean, points, 7)._asdict()
    drawn = decode(model.network, sample(mean, logvar, seeds.stream(3, "evaluate")))
    error = distortion(few / np.float32(255), drawn).per_image
    assert measured["distortion"]["squared_error_sampled"] == error


# --- The likelihood -------------------------------------------------------------------------------


@each_likelihood
def test_importance_sampling_finds_the_integral(
    pixels: np.ndarray, images: np.ndarray, likelihood: Name
) -> None:
    """log ∫ p(x|z) p(z) dz over the one latent dimension, on a fine grid."""
    model, trained_variance, few = trained(likelihood, dim=1), 30.0, np.s_[:6]
    z = np.linspace(-7, 7, 1001)
    with torch.no_grad():
        logits = model.network.logits(torch.from_numpy(z).float()[:, None]).double()
    real = torch.from_numpy(pixels[few])[:, None].double()  # [6, 1, 1, 28, 28]
    if likelihood == "bernoulli":
        decoder: Any = Bernoulli(logits=logits, validate_args=False)  # of grey pixels
    else:
        variance = KL_WEIGHT / 2 if likelihood == "fixed" else trained_variance
        decoder = Normal(logits.sigmoid(), math.sqrt(variance))
    log_likelihood = decoder.log_prob(real).sum((2, 3, 4)).numpy()
    prior = -0.5 * (z**2 + math.log(2 * math.pi))
    exact = logsumexp(log_likelihood + prior, axis=1) + math.log(z[1] - z[0])

    measured = likelihood_of(model, pixels[few], images[few], trained_variance, 3000)
    assert measured["nll"] == pytest.approx(-exact.mean(), abs=0.02)
    assert measured["elbo"] < -measured["nll"]
    assert measured["nll_standard_error"] == pytest.approx(exact.std(ddof=1) / 6**0.5, rel=0.05)
    assert measured["bits_per_dimension"] == pytest.approx(measured["nll"] / 784 / math.log(2))


def test_the_elbo_of_fixed_is_the_objective_in_other_units(
    pixels: np.ndarray, images: np.ndarray
) -> None:
    """-ELBO = (SSE + w·KL) / w + 784/2 · ln(2π · w/2), for the same noise."""
    weight, some = 0.25, np.s_[:BATCH]
    model = trained("fixed", kl_weight=weight)
    noise = torch.from_numpy(seeds.stream(3, "ELBO").standard_normal((BATCH, 3), np.float32))
    real = torch.from_numpy(pixels[some])
    with torch.no_grad():
        output = model.network(real, noise)
    error = (output.logits.sigmoid() - real).square().sum((1, 2, 3)).double()
    posterior = Normal(output.mean, (0.5 * output.logvar).exp())
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(1)
    loss = float((error + weight * kl).mean())

    measured = likelihood_of(model, pixels[some], images[some], 1.0, 1)
    assert measured["variance"] == weight / 2
    constant = 392 * math.log(math.pi * weight)
    assert -measured["elbo"] == pytest.approx(loss / weight + constant, rel=1e-6)


@each_likelihood
def test_the_nll_falls_from_the_negative_elbo(
    pixels: np.ndarray, images: np.ndarray, likelihood: Name
) -> None:
    """One draw in place of the mean of many is the ELBO of the proposal, which fits better."""
    found = likelihood_of(trained(likelihood), pixels, images, 9.0, 40)
    assert found["nll"] < -found["elbo"]
    assert 5 < found["effective_samples"] <= 40


@each_likelihood
def test_an_nll_of_few_draws_is_not_stated(
    pixels: np.ndarray, images: np.ndarray, likelihood: Name
) -> None:
    found = likelihood_of(trained(likelihood), pixels, images, 9.0, 4)
    stated = found.keys() - {"variance", "calibrated"}
    assert stated == {"elbo", "effective_samples"}
    assert found["effective_samples"] <= 4


def test_fixed_is_also_measured_as_the_calibrated_gaussian(
    pixels: np.ndarray, images: np.ndarray
) -> None:
    fixed, gaussian, weightless = (
        likelihood_of(model, pixels, images, 0.1, 5)
        for model in (trained("fixed"), trained("gaussian"), trained("fixed", kl_weight=0.0))
    )
    assert gaussian["variance"] == 0.1
    assert fixed["variance"] == KL_WEIGHT / 2
    assert fixed["calibrated"] == gaussian
    assert weightless == {"calibrated": gaussian}  # it states no variance of its own


# --- The audit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likelihood", "kl_weight", "expected"),
    [
        ("fixed", 2.0, {"beta": 1.0, "implied_variance": 1.0, "ratio": 0.05}),
        ("fixed", 0.0, {"beta": 0.0, "implied_variance": 0.0}),
        ("gaussian", 2.0, {"beta": 0.08, "implied_variance": 0.08, "ratio": 0.625}),
        ("gaussian", 0.0, {"beta": 0.0, "implied_variance": 0.0}),
        ("bernoulli", 2.0, {"beta": 2.0, "ratio": 0.5}),
        ("bernoulli", 0.0, {"beta": 0.0}),
    ],
)
def test_audit_of_each_likelihood(
    likelihood: Name, kl_weight: float, expected: dict[str, float]
) -> None:
    calibrated = {} if likelihood == "bernoulli" else {"calibrated_variance": 0.05}
    numbers = evaluate.audit_numbers(trained(likelihood, kl_weight=kl_weight), 0.05, 10.0, 0.04)
    assert numbers == pytest.approx(expected | calibrated)


def test_a_collapsed_model(images: np.ndarray) -> None:
    """No rate, no active unit, nothing gained by more samples but the same NLL as the ELBO."""
    network = collapse(make_network(3))
    first = network.hidden[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        first.weight.zero_()
    measured = measure(trained("fixed", vae=network), images)
    likelihood, distortion = measured["likelihood"], measured["distortion"]
    assert measured["rate"] == {"kl": 0, "active_units": 0, "per_dimension": [0, 0, 0]}
    # The proposal is the prior twice as often where it is wider: draws differ in weight by that.
    assert likelihood["nll"] == pytest.approx(-likelihood["elbo"], abs=0.2)
    assert distortion["squared_error_sampled"] == pytest.approx(distortion["squared_error"])
    assert measured["audit"]["ratio"] == pytest.approx(distortion["per_pixel"] / (KL_WEIGHT / 2))


# --- Everything together --------------------------------------------------------------------------

TERMS = {"elbo", "effective_samples", "nll", "nll_standard_error", "bits_per_dimension"}
COMMON: dict[str, set[str]] = {
    "train": {"loss_per_batch_of_512", "loss", "squared_error"},
    "distortion": {"squared_error", "per_pixel", "psnr"},
    "latent": {"knn_accuracy", "probe_accuracy", "silhouette"},
    "map": {"trustworthiness", "preservation"},
    "pca": {"trustworthiness", "preservation"},
}
OF_VAE: dict[str, set[str]] = COMMON | {
    "train": COMMON["train"] | {"kl"},
    "distortion": COMMON["distortion"] | {"squared_error_sampled"},
    "rate": {"kl", "active_units", "per_dimension"},
    "audit": {"beta", "implied_variance", "calibrated_variance", "ratio"},
    "likelihood": TERMS | {"variance"},
}


@pytest.mark.parametrize(
    ("likelihood", "sections"),
    [
        (None, COMMON),
        ("fixed", OF_VAE | {"likelihood": TERMS | {"variance", "calibrated"}}),
        ("gaussian", OF_VAE),
        ("bernoulli", OF_VAE | {"likelihood": TERMS, "audit": {"beta", "ratio"}}),
    ],
)
def test_what_a_model_is_measured_by(
    images: np.ndarray, likelihood: Name | None, sections: dict[str, set[str]]
) -> None:
    model = trained(likelihood)
    measured = measure(model, images)
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured  # plain finite numbers
    assert measured.pop("epochs") == 2
    assert measured.pop("parameters") == sum(p.numel() for p in model.network.parameters())
    assert {name: set(section) for name, section in measured.items()} == sections


def test_the_numbers_are_those_of_the_metrics(images: np.ndarray, pixels: np.ndarray) -> None:
    model = trained("gaussian")
    measured = measure(model, images)
    mean, logvar = encode(model.network, images)
    assert logvar is not None
    training = {"loss_per_batch_of_512": 512 * 60, "loss": 60, "squared_error": 50, "kl": 8}
    assert measured["train"] == training
    reconstructions = decode(model.network, mean)
    error = squared_error(pixels, reconstructions).mean()
    assert measured["distortion"]["squared_error"] == pytest.approx(error)
    assert measured["rate"]["kl"] == pytest.approx(rate(mean, logvar).sum())
    assert measured["rate"]["per_dimension"] == pytest.approx(rate(mean, logvar))
    assert measured["likelihood"]["variance"] == 50 / 784  # the training set's
    sampled = measured["distortion"]["squared_error_sampled"]
    assert sampled == pytest.approx(error, rel=0.2)
    assert sampled != measured["distortion"]["squared_error"]
    assert measured["audit"]["calibrated_variance"] == pytest.approx(sampled / 784)
    split = mean[::-1], LABELS, mean, LABELS
    assert measured["latent"] == {
        "knn_accuracy": knn_accuracy(*split),
        "probe_accuracy": probe_accuracy(*split),
        "silhouette": silhouette(mean, LABELS),
    }
    assert measured["map"] == map_quality(mean, mean[:, :2])._asdict()
    assert measured["pca"] == map_quality(mean, mean[:, 1:])._asdict()


@pytest.mark.parametrize(
    ("asked", "chosen"), [(2, [0, 255]), (256, range(256)), (10_000, range(256))]
)
def test_the_likelihood_is_of_images_spread_over_the_test_set(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray, asked: int, chosen: list[int]
) -> None:
    given: list[tuple[np.ndarray, Posterior]] = []

    def likelihood(
        model: Trained, pixels: np.ndarray, posterior: Posterior, **_: Any
    ) -> dict[str, Any]:
        given.append((pixels, posterior))
        return {}

    monkeypatch.setattr(evaluate, "likelihood", likelihood)
    model = trained("fixed")
    measure(model, images, EvaluateSettings(samples=1, images=asked))
    ((pixels, posterior),) = given
    np.testing.assert_array_equal(pixels, images[list(chosen)] / np.float32(255))
    for few, whole in zip(posterior, encode(model.network, images), strict=True):
        assert few is not None
        assert whole is not None
        np.testing.assert_array_equal(few, whole[list(chosen)])


# --- What is drawn --------------------------------------------------------------------------------


def test_a_seed_decides_what_is_drawn_and_nothing_else(images: np.ndarray) -> None:
    model = trained("fixed")
    first, again, other = (measure(model, images, seed=seed) for seed in (1, 1, 2))
    assert first == again
    changed = {name for name in first if first[name] != other[name]}
    assert changed == {"distortion", "audit", "likelihood"}


def test_views_and_measures_draw_other_numbers_from_the_same_seed(images: np.ndarray) -> None:
    """Where the posterior is the prior, what is drawn and decoded is the noise itself."""
    network = collapse(make_network(3))
    decoded: list[np.ndarray] = []
    network.hidden.register_forward_pre_hook(lambda _, z: decoded.append(z[0].numpy().copy()))

    def drawn(call: Callable[[], object]) -> set[float]:
        decoded.clear()
        call()
        noise = set(np.concatenate(decoded).ravel().tolist()) - {0.0}  # the means
        assert len(noise) >= 30
        return noise

    encoding = EncodeSettings(first_pair=0, interpolate=(2, 4, 5, 6), steps=2, manifold_steps=2)
    views = drawn(lambda: explore(network, images, LABELS, 10, encoding, seed=5))
    measures = drawn(lambda: measure(trained("fixed", vae=network), images, seed=5))
    assert views == drawn(lambda: explore(network, images, LABELS, 10, encoding, seed=5))
    assert not views & measures


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which the stages encode and evaluate find all they read but a model."""

    def shrink(tree: dict[str, Any]) -> None:
        tree["evaluate"] = {"samples": 2, "images": 20}
        tree["encode"] |= {"steps": 2, "manifold_steps": 2}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNIST_VAE_DEVICE", "cpu")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    edit(Path("params.yaml"), shrink)
    write_images(tmp_path)
    curves.write(Path("reports/curves/m.csv"), [(1, {"loss": 9, "squared_error": 8, "kl": 7})])
    return tmp_path


def test_the_seed_that_a_model_was_trained_with_decides_what_both_stages_draw(
    stages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def results(common: int, trained_with: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the stages say of a model: its views, and its metrics."""
        edit(stages / "params.yaml", lambda tree: tree.update(seed=common))
        settings = ModelSettings(kind="vae", latent_dim=2, kl_weight=0.1)
        facts = weights.ModelFacts(
            model="m",
            settings=settings,
            seed=trained_with,
            epochs=1,
            dataset="MNIST",
            image_size=28,
            channels=1,
            classes=DIGITS,
            variance=0.01,
            device="cpu",
            torch="2.15.0",
        )
        weights.save(Path("models/m.safetensors"), make_network(2), facts)
        monkeypatch.setattr(sys, "argv", ["stage.py", "m"])
        runpy.run_path(str(ROOT / "stages/encode.py"))["main"]()
        latents, _ = LATENTS.read(Path("data/latents/m.safetensors"))
        mean = latents["mean"]
        maps = {"map": mean, "pca": mean, "class_map": latents["class_latents"]}
        maps |= {"explained_variance": np.ones(2, np.float32), "labels": latents["labels"]}
        layout = MapsFacts(model="m", method="latent plane", perplexity=30.0)
        MAPS.write(Path("data/maps/m.safetensors"), maps, layout)
        runpy.run_path(str(ROOT / "stages/evaluate.py"))["main"]()
        views, _ = VIEWS.read(Path("data/images/m.safetensors"))
        shown = {name: array.tolist() for name, array in views.items()}
        return shown, store.read_json(Path("reports/metrics/m.json"))

    five = results(0, 5)
    assert five == results(1, 5)
    for ours, theirs in zip(five, results(0, 0), strict=True):
        assert ours != theirs


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("valid", [{"samples": 1, "images": 2}, {"samples": 50, "images": 10_000}])
def test_settings(valid: dict[str, int]) -> None:
    assert msgspec.structs.asdict(check(valid, EvaluateSettings, "evaluate")) == valid


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 0}, "evaluate.samples: found 0, must be from 1 to 10000"),
        ({"images": 1}, "evaluate.images: found 1, must be from 2 to 1000000"),
        ({"images": 1_000_001}, "evaluate.images: found 1000001, must be from 2 to 1000000"),
    ],
)
def test_settings_out_of_range(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as error:
        check({"samples": 50, "images": 1000} | change, EvaluateSettings, "evaluate")
    assert str(error.value) == message
