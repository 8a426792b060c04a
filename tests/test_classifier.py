"""The digit classifier: it learns real digits from few, repeats itself, and refuses bad files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import classifier
from mnist_vae.nets.classifier import Classifier, ClassifierSettings

DATA = Path(__file__).parent / "data"
SETTINGS = ClassifierSettings(epochs=12, batch_size=50, learning_rate=0.003)


def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """A few hundred real images, uint8 [N, 28, 28], and their labels."""
    with np.load(DATA / f"{split}.npz") as arrays:
        return arrays["images"], arrays["labels"]


def train(settings: ClassifierSettings = SETTINGS, seed: int = 0) -> tuple[Classifier, list[float]]:
    images, labels = (torch.from_numpy(array) for array in digits("train"))
    network = Classifier()
    images = images[:, None]
    return network, list(classifier.train(network, settings, images, labels, seed=seed))


@pytest.fixture(scope="module")
def trained() -> tuple[Classifier, list[float]]:
    return train()


def test_it_learns_digits_it_has_not_seen(trained: tuple[Classifier, list[float]]) -> None:
    network, losses = trained
    images, labels = digits("test")
    assert (classifier.classify(network, images).digits == labels).mean() > 0.75
    assert len(losses) == SETTINGS.epochs
    assert losses[-1] < 0.2 * losses[0]


def test_what_is_trained_is_float32_and_in_no_graph(
    trained: tuple[Classifier, list[float]],
) -> None:
    network, _ = trained
    assert not network.training
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is None


def test_a_seed_decides_the_training() -> None:
    short = dataclasses.replace(SETTINGS, epochs=1)
    (one, first), (two, again), (three, other) = (train(short, seed) for seed in (1, 1, 2))
    assert first == again != other
    for key, weight in one.state_dict().items():
        assert torch.equal(weight, two.state_dict()[key])
    assert not torch.equal(one.head.weight, three.head.weight)


def test_a_diverged_training_is_refused() -> None:
    images, labels = (torch.from_numpy(array) for array in digits("train"))
    images, network, nan = images[:, None], Classifier(), torch.tensor(float("nan"))
    with pytest.raises(InputError, match=r"lower classifier\.learning_rate"):  # noqa: PT012
        for _ in classifier.train(network, SETTINGS, images, labels, seed=0):
            with torch.no_grad():
                network.head.bias.add_(nan)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_classifying_does_not_depend_on_the_batch(
    monkeypatch: pytest.MonkeyPatch, trained: tuple[Classifier, list[float]], batch: int
) -> None:
    network, images = trained[0], digits("test")[0][:50]
    monkeypatch.setattr(classifier, "BATCH", batch)
    found = classifier.classify(network, images)
    assert found.features.shape == (50, 128)
    assert found.features.dtype == np.float32
    assert found.features.std() > 0.1
    whole = network.body(torch.from_numpy(images)[:, None] / 255).detach()
    np.testing.assert_allclose(found.features, whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.digits, network.head(whole).argmax(1))


def test_bytes_and_pixels_are_the_same_to_it(trained: tuple[Classifier, list[float]]) -> None:
    images = digits("test")[0]
    one = classifier.classify(trained[0], images)
    two = classifier.classify(trained[0], images / np.float32(255))
    np.testing.assert_allclose(one.features, two.features, atol=1e-5)
    np.testing.assert_array_equal(one.digits, two.digits)


# --- Files ----------------------------------------------------------------------------------------


def test_a_file_gives_back_the_classifier(
    tmp_path: Path, trained: tuple[Classifier, list[float]]
) -> None:
    path, images = tmp_path / "classifier.safetensors", digits("test")[0]
    classifier.save(path, trained[0], test_accuracy=99.0)
    network, about = classifier.load(path)
    assert about == {"test_accuracy": 99.0}
    for one, two in zip(
        classifier.classify(trained[0], images), classifier.classify(network, images), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("network", "what", "message"),
    [
        (Classifier(widths=(8, 16, 32)), "classifier", "weights do not fit the classifier: "),
        (torch.nn.Linear(2, 2), "classifier", "lacks body.0.weight"),
        (Classifier(), "weights", "holds weights, must hold classifier"),
    ],
)
def test_another_networks_file_is_refused(
    tmp_path: Path, network: torch.nn.Module, what: str, message: str
) -> None:
    path = tmp_path / "classifier.safetensors"
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    store.write_arrays(path, what, weights)
    with pytest.raises(InputError) as error:
        classifier.load(path)
    assert str(error.value).startswith(f"{path}: {message}")


# --- Settings -------------------------------------------------------------------------------------

VALID = {"epochs": 5, "batch_size": 128, "learning_rate": 0.004}


@pytest.mark.parametrize("change", [{}, {"epochs": 1, "batch_size": 60_000, "learning_rate": 1}])
def test_settings(change: dict[str, Any]) -> None:
    found = params.check(VALID | change, ClassifierSettings, "classifier")
    assert dataclasses.asdict(found) == VALID | change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "classifier.epochs: found 0, must be from 1 to 1000"),
        ({"batch_size": 0}, "classifier.batch_size: found 0, must be from 1 to 60000"),
        ({"learning_rate": 0}, "classifier.learning_rate: found 0.0, must be above 0 to 1"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(VALID | change, ClassifierSettings, "classifier")
    assert str(error.value) == message
