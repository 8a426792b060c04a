"""Files of networks: what was saved comes back, and what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from msgspec.structs import replace
from support.networks import fresh
from support.project import DIGITS
from torch import nn

from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import classifier_weights, fast, weights
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.classifier_weights import ClassifierFacts
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.weights import ModelFacts

VARIATIONAL = ModelSettings(kind="vae", latent_dim=3, kl_weight=0.1, learning_rate_scale=0.3)
PLAIN = ModelSettings(kind="ae", latent_dim=3, seed=5)
CLASSIFIER = ClassifierFacts(
    dataset="MNIST",
    image_size=28,
    channels=1,
    classes=DIGITS,
    test_accuracy=99.0,
    epochs=4,
    parameters=206_922,
)


Change = Callable[[store.Arrays, dict[str, Any]], object]


def facts(settings: ModelSettings) -> ModelFacts:
    return ModelFacts(
        model="a",
        settings=settings,
        seed=0,
        epochs=7,
        dataset="MNIST",
        image_size=28,
        channels=1,
        classes=DIGITS,
        variance=0.01,
        device="CPU, float32",
        torch="2.15.0",
    )


def same_state(one: nn.Module, two: nn.Module) -> bool:
    ours, theirs = one.state_dict(), two.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of VARIATIONAL, saved as "a"."""
    path = tmp_path / "a.safetensors"
    weights.save(path, fresh(build(VARIATIONAL)), facts(VARIATIONAL))
    return path


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN])
@pytest.mark.parametrize("form", [None, torch.bfloat16])
def test_a_model_comes_back(
    tmp_path: Path, settings: ModelSettings, form: torch.dtype | None
) -> None:
    path, network = tmp_path / "a.safetensors", fresh(build(settings))
    if form:
        fast.put_in(network, image_size=28, dtype=form)
    weights.save(path, network, facts(settings))
    loaded, found = weights.load(path, "a")
    assert found == facts(settings)
    assert not loaded.training
    assert same_state(loaded, network)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (36, 3), (64, 3)])
def test_a_model_of_other_images_comes_back(tmp_path: Path, size: int, channels: int) -> None:
    path, network = tmp_path / "a", fresh(build(PLAIN, image_size=size, channels=channels))
    weights.save(path, network, replace(facts(PLAIN), image_size=size, channels=channels))
    loaded, found = weights.load(path, "a")
    assert (found.image_size, found.channels) == (loaded.image_size, loaded.channels)
    assert (loaded.image_size, loaded.channels) == (size, channels)
    assert same_state(loaded, network)


def test_facts_of_no_network_are_refused(tmp_path: Path) -> None:
    weights.save(tmp_path / "a", fresh(build(PLAIN)), replace(facts(PLAIN), image_size=30))
    with pytest.raises(InputError, match="a: the model does not fit the images: image_size is 30"):
        weights.load(tmp_path / "a", "a")
    classifier_weights.save(tmp_path / "c", Classifier(), replace(CLASSIFIER, image_size=30))
    with pytest.raises(InputError, match="c: facts: image_size is 30, must be a multiple of 4"):
        classifier_weights.load(tmp_path / "c")


def test_that_there_is_no_classifier_comes_back_too(tmp_path: Path) -> None:
    none = ClassifierFacts(dataset="photos", image_size=64, channels=3)
    classifier_weights.save(tmp_path / "c", None, none)
    assert classifier_weights.load(tmp_path / "c") == (None, none)


def test_the_classifier_comes_back(tmp_path: Path) -> None:
    network = Classifier()
    classifier_weights.save(tmp_path / "c", network, CLASSIFIER)
    loaded, found = classifier_weights.load(tmp_path / "c")
    assert found == CLASSIFIER
    assert loaded is not None
    assert not loaded.training
    assert same_state(loaded, network)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    network = fresh(build(VARIATIONAL))
    weights.save(tmp_path / "a", network, facts(VARIATIONAL))
    network.to(memory_format=torch.channels_last)
    weights.save(tmp_path / "b", network, facts(VARIATIONAL))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def set_(**changed: Any) -> Change:
    return lambda arrays, about: about["settings"].update(changed)


def as_type(name: str) -> Change:
    return lambda arrays, about: arrays.update({"mean.bias": arrays["mean.bias"].astype(name)})


def put(number: float) -> Change:
    return lambda arrays, about: arrays["mean.bias"].put(1, number)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            set_(latent_dim=4),
            r"weights do not fit the model: .* is float32 \(64, 3\), must be float32 \(64, 4\)",
        ),
        (set_(kind="ae", kl_weight=None), "must be absent"),
        (set_(latent_dim=0), r"facts\.settings\.latent_dim: found 0, must be from 1 to 512"),
        (set_(kind="gan"), r"facts\.settings\.kind: found 'gan', must be one of vae, ae"),
        (set_(layers=5), r"facts\.settings\.layers: unknown key"),
        (lambda arrays, about: about.pop("device"), r"facts\.device: missing"),
        (lambda arrays, about: about.update(model="b"), "made for model 'b', must be 'a'"),
        (
            lambda arrays, about: arrays.pop("mean.bias"),
            r"mean\.bias is missing, must be float32 \(3,\)",
        ),
        *(
            (as_type(name), rf"do not fit the model: mean\.bias is {name} \(3,\), must be float32")
            for name in ("float16", "float64", "int8", "complex64")
        ),
        *(
            (put(number), r"do not fit the model: mean\.bias holds a number that is not finite")
            for number in (np.nan, np.inf, -np.inf)
        ),
    ],
)
def test_weights_that_are_not_the_models(path: Path, change: Change, message: str) -> None:
    arrays, about = store.read_arrays(path, "weights")
    change(arrays, about)
    store.write_arrays(path, "weights", arrays, **about)
    with pytest.raises(InputError, match=message):
        weights.load(path, "a")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path, target = tmp_path / "a.safetensors", tmp_path / "touched"

    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (target,)

    torch.save(Touch(), path)
    with pytest.raises(InputError, match="damaged"):
        weights.load(path, "a")
    assert not target.exists()


def test_arrays_that_are_no_weights(path: Path) -> None:
    with pytest.raises(InputError, match="holds weights, must hold classifier"):
        classifier_weights.load(path)
    store.write_arrays(path, "classifier", {"mean": np.zeros((2, 3))}, model="a")
    with pytest.raises(InputError, match="holds classifier, must hold weights"):
        weights.load(path, "a")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            Classifier(widths=(8, 16, 32)),
            r"body\.0\.bias is float32 \(8,\), must be float32 \(16,\)",
        ),
        (nn.Linear(2, 2), r"bias is float32 \(2,\), must be absent"),
    ],
)
def test_another_networks_weights(tmp_path: Path, network: nn.Module, message: str) -> None:
    arrays = {key: value.numpy() for key, value in network.state_dict().items()}
    store.write_arrays(tmp_path / "c", "classifier", arrays, **msgspec.to_builtins(CLASSIFIER))
    with pytest.raises(InputError, match=f"weights do not fit the classifier: {message}"):
        classifier_weights.load(tmp_path / "c")


def test_the_digest_is_of_the_weights_whatever_form_the_network_has() -> None:
    network = fresh(build(VARIATIONAL))
    digest = weights.digest(network)
    assert weights.digest(fresh(build(VARIATIONAL))) == digest
    fast.place(network, torch.device("cpu"), image_size=network.image_size)
    assert weights.digest(network) == digest
    with torch.no_grad():
        network.mean.bias[0] += 1e-6
    assert weights.digest(network) != digest
