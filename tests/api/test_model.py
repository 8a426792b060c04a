"""A model as others use it, against the network in its file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.models import CLASSES, write_model, write_priors
from support.project import ROOT, environment

import mnist_vae
from mnist_vae import load
from mnist_vae.api import model as module
from mnist_vae.api.model import priors_of
from mnist_vae.errors import InputError
from mnist_vae.latents import priors
from mnist_vae.nets.vae import VAE

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "renamed by someone.safetensors"


@pytest.fixture
def network(path: Path) -> VAE:
    """The network in the file, without priors beside it."""
    return write_model(path)


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, mnist_vae; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(ROOT)
    )
    assert done.stdout == "False False\n", done.stderr


def test_the_package_names_what_is_public() -> None:
    assert {"load", "Model"} <= set(dir(mnist_vae))
    assert mnist_vae.Model.__module__ == "mnist_vae.api.model"
    with pytest.raises(AttributeError, match="module 'mnist_vae' has no attribute 'save'"):
        _ = mnist_vae.save


@pytest.mark.parametrize("kind", [str, Path])
def test_a_model_is_known_by_its_contents_not_its_name(
    path: Path, network: VAE, kind: type[str | Path]
) -> None:
    model = load(kind(path))
    assert repr(model) == "<vae small: pets, 1 x 28 x 28, 3 latents>"
    assert (model.latent_dim, model.facts.classes) == (3, CLASSES)


@torch.inference_mode()
def test_it_encodes_and_decodes_as_its_network_does(path: Path, network: VAE) -> None:
    model = load(path)
    mean, logvar = network.encode(torch.from_numpy(IMAGES[:, None]) / 255)
    assert logvar is not None
    for given in (IMAGES, IMAGES[:, None], IMAGES[..., None], IMAGES / np.float32(255)):
        found = model.encode(given)
        assert found.logvar is not None
        np.testing.assert_allclose(found.mean, mean, atol=1e-6)
        np.testing.assert_allclose(found.logvar, logvar, atol=1e-6)
    np.testing.assert_allclose(model.decode(found.mean), network.decode(mean), atol=1e-6)
    assert model.decode(np.zeros(3)).shape == (1, 28, 28)


def test_nothing_comes_of_nothing(path: Path, network: VAE) -> None:
    model, none = load(path), IMAGES[:0]
    assert model.encode(none).mean.shape == (0, 3)
    assert model.decode(np.zeros((0, 3))).shape == (0, 1, 28, 28)
    assert model.sample(0).shape == (0, 1, 28, 28)
    score = model.score(none)
    assert score.elbo is not None
    assert score.squared_error.shape == score.elbo.shape == (0,)


def test_the_prior_of_training_is_the_standard_normal(path: Path, network: VAE) -> None:
    model = load(path)
    assert model.priors == ("standard",)
    drawn = model.sample(4, seed=1)
    assert drawn.shape == (4, 1, 28, 28)
    np.testing.assert_array_equal(drawn, model.sample(4, seed=1))
    assert np.abs(drawn - model.sample(4, seed=2)).max() > 0
    with pytest.raises(ValueError, match=r"prior is 'classes', this model has standard; .*beside"):
        model.sample(1, label="cat")


def test_what_lies_beside_a_model_is_its_priors(
    path: Path, network: VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_priors(priors_of(path)[0], network)
    model = load(path)
    assert model.priors == ("standard", "gaussian", "mixture", "classes")
    # Of each class one latent lies far from the others', and so tells which class was drawn.
    drawn: list[np.ndarray] = []
    draw = priors.draw

    def watch(*args: object) -> priors.Drawn:
        found = draw(*args)  # type: ignore[arg-type]
        drawn.append(found.latents)
        return found

    monkeypatch.setattr(module, "draw", watch)
    np.testing.assert_array_equal(model.sample(9, digit=7), model.sample(9, label="7"))
    np.testing.assert_array_equal(drawn[0].argmax(1), [1] * 9)
    model.sample(9, label="dog")
    np.testing.assert_array_equal(drawn[2].argmax(1), [2] * 9)
    model.sample(300, prior="mixture")
    assert set(drawn[3].argmax(1).tolist()) == {0, 1, 2}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"label": "cow"}, "label is 'cow', the classes of pets are cat, 7, dog"),
        ({"digit": 8}, "label is '8', the classes of pets are cat, 7, dog"),
        ({"digit": 7, "label": "cat"}, "digit is 7 and label 'cat': give one of them"),
        ({"prior": "flow"}, "prior is 'flow', this model has standard, gaussian, mixture, classes"),
        ({"prior": "gaussian", "label": "cat"}, "label is 0, which no component"),
    ],
)
def test_what_cannot_be_sampled(
    path: Path, network: VAE, asked: dict[str, object], message: str
) -> None:
    write_priors(priors_of(path)[0], network)
    with pytest.raises(ValueError, match=message):
        load(path).sample(1, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.sample("3"), TypeError, "count is '3', must be a whole number"),
        (lambda m: m.sample(3.0), TypeError, r"count is 3\.0, must be a whole number"),
        (lambda m: m.sample(True), TypeError, "count is True, must be a whole number"),
        (lambda m: m.sample(np.bool_(True)), TypeError, "count is np.True_, must be a whole"),
        (lambda m: m.sample(-1), ValueError, "count is -1, must be at least 0"),
        (lambda m: m.sample(2, seed=-1), ValueError, "seed is -1, must be at least 0"),
        (lambda m: m.sample(2, seed=0.5), TypeError, r"seed is 0\.5, must be a whole number"),
        (lambda m: m.sample(2, seed=None), TypeError, "seed is None, must be a whole number"),
        (lambda m: m.sample(2, digit=7.0), TypeError, r"digit is 7\.0, must be a whole number"),
        (lambda m: m.sample(2, label=7), TypeError, "label is 7, must be text"),
        (lambda m: m.sample(2, prior=["a"]), TypeError, r"prior is \['a'\], must be text"),
        (lambda m: m.score(IMAGES, draws=1.5), TypeError, r"draws is 1\.5, must be a whole"),
        (lambda m: m.score(IMAGES, draws=0), ValueError, "draws is 0, must be at least 1"),
        (lambda m: m.score(IMAGES, seed=-1), ValueError, "seed is -1, must be at least 0"),
        (lambda m: m.score(IMAGES[:0], seed="1"), TypeError, "seed is '1', must be a whole"),
    ],
)
def test_other_numbers_and_names_are_refused(
    path: Path,
    network: VAE,
    call: Callable[[Any], object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        call(load(path))
    assert "\n" not in str(caught.value)


def test_numpys_whole_numbers_are_whole_numbers(path: Path, network: VAE) -> None:
    model = load(path)
    given = model.sample(np.int64(2), seed=np.uint8(3))  # type: ignore[arg-type]
    np.testing.assert_array_equal(given, model.sample(2, seed=3))
    scores = model.score(IMAGES, draws=np.int16(2)), model.score(IMAGES, draws=2)  # type: ignore[arg-type]
    np.testing.assert_array_equal(*(score.elbo for score in scores))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ("foo", ValueError, "device is 'foo', this machine has .*cpu"),
        ("cuda:99", ValueError, "device is 'cuda:99', this machine has .*cpu"),
        ("meta", ValueError, "device is 'meta', this machine has .*cpu"),
        ("xpu", ValueError, "device is 'xpu', this machine has .*cpu"),
        ("", ValueError, "device is '', this machine has .*cpu"),
        (None, TypeError, "device is None, must be the name of one, as 'cpu'"),
        (0, TypeError, "device is 0, must be the name of one, as 'cpu'"),
        pytest.param(
            "cuda",
            ValueError,
            "device is 'cuda', this machine has (mps, )?cpu$",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a card"),
        ),
    ],
)
def test_a_device_that_is_not_there_is_refused(
    path: Path, network: VAE, device: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        load(path, device=device)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_a_device_may_be_torchs_own(path: Path, network: VAE, device: Any) -> None:
    assert load(path, device=device).sample(1).shape == (1, 1, 28, 28)


def test_priors_are_found_beside_a_model_in_a_project_or_where_one_says(tmp_path: Path) -> None:
    path = tmp_path / "models/a.safetensors"
    network = write_model(path)
    own, pipelines = tmp_path / "mine", tmp_path / "data/priors/a.safetensors"
    write_priors(own, network)
    assert load(path).priors == ("standard",)
    assert len(load(path, priors=str(own)).priors) == 4
    shutil.copytree(tmp_path / "models", tmp_path / "elsewhere")
    for place, of in ((pipelines, path), (tmp_path / "elsewhere/a.priors.safetensors", None)):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(own, place)
        assert len(load(of or tmp_path / "elsewhere/a.safetensors").priors) == 4
    with pytest.raises(InputError, match="nowhere: not found"):
        load(path, priors=tmp_path / "nowhere")


def test_an_autoencoder_samples_from_a_fitted_prior_only(path: Path) -> None:
    network = write_model(path, kind="ae", kl_weight=None)
    with pytest.raises(ValueError, match="prior is 'mixture', this model has none"):
        load(path).sample(1)
    write_priors(priors_of(path)[0], network)
    assert load(path).sample(2).shape == (2, 1, 28, 28)


def test_priors_of_other_weights_are_refused(path: Path, network: VAE) -> None:
    with torch.no_grad():
        network.mean.bias.add_(1)
    write_priors(priors_of(path)[0], network)
    with pytest.raises(InputError, match=r"priors\.safetensors: fitted on .* of other weights"):
        load(path)


def test_what_is_no_model_is_refused(path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        load(path)
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match="damaged"):
        load(path)


# --- Scores ---------------------------------------------------------------------------------------


def test_the_squared_error_is_that_of_the_mean(path: Path, network: VAE) -> None:
    model = load(path)
    rebuilt = model.decode(model.encode(IMAGES).mean)[:, 0]
    expected = ((IMAGES / 255 - rebuilt) ** 2).sum((1, 2))
    np.testing.assert_allclose(model.score(IMAGES).squared_error, expected, rtol=1e-5)


@pytest.mark.parametrize("likelihood", ["fixed", "gaussian", "bernoulli"])
def test_the_elbo_is_reconstruction_minus_kl(path: Path, likelihood: str) -> None:
    write_model(path, likelihood=likelihood)
    model = load(path)
    posterior = model.encode(IMAGES)
    assert posterior.logvar is not None
    mean, std = posterior.mean.astype(float), np.exp(posterior.logvar.astype(float) / 2)
    pixels, likely = IMAGES / 255, np.zeros(len(IMAGES))
    rng, draws = np.random.default_rng(5), 2000
    for _ in range(draws):
        drawn = model.decode(mean + std * rng.standard_normal(mean.shape))[:, 0].astype(float)
        if likelihood == "bernoulli":
            log_p = pixels * np.log(drawn) + (1 - pixels) * np.log1p(-drawn)
        else:  # of a calibrated variance, which stands in the file
            log_p = -0.5 * ((pixels - drawn) ** 2 / 0.02 + np.log(2 * np.pi * 0.02))
        likely += log_p.sum((1, 2)) / draws
    kl = (0.5 * (mean**2 + std**2 - 1) - np.log(std)).sum(1)
    elbo = model.score(IMAGES, draws=draws).elbo
    assert elbo is not None
    np.testing.assert_allclose(elbo, likely - kl, rtol=0.002)


def test_a_score_is_the_same_again(path: Path, network: VAE) -> None:
    model = load(path)
    first, again, other = (model.score(IMAGES, seed=seed).elbo for seed in (0, 0, 1))
    assert first is not None
    assert other is not None
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_autoencoder_has_no_elbo(path: Path) -> None:
    write_model(path, kind="ae", kl_weight=None)
    score = load(path).score(IMAGES)
    assert score.elbo is None
    assert score.squared_error.shape == (6,)


def test_models_of_other_images_take_these(path: Path) -> None:
    write_model(path, size=12, channels=3)
    images = np.zeros((2, 12, 12, 3), np.uint8)
    assert load(path).decode(load(path).encode(images).mean).shape == (2, 3, 12, 12)
