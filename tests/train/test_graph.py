"""Graphs of steps: how they are fed, on any machine; what a card makes of them, where there is one.

Tests marked ``gpu`` need a card. There a training by graphs must be the plain one, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from support.training import PLAIN, RECIPE, VARIATIONAL, differing, digits
from torch import Tensor

from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.train import autoencode, classify, graph, loop
from mnist_vae.train.autoencode import checkpoints_of
from mnist_vae.train.graph import Graphed
from mnist_vae.train.loop import Epoch
from mnist_vae.train.recipe import Recipe

QUICK = replace(RECIPE, epochs=3, batch_size=64, last_batch_size=100, optimizer="muon")
CALIBRATED = ModelSettings(kind="vae", latent_dim=4, kl_weight=1, likelihood="gaussian")
gpu = pytest.mark.gpu


@pytest.fixture(autouse=True)
def captured_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images make few steps of a shape: one of them is plain, all others are captured."""
    monkeypatch.setattr(graph, "PLAIN", 1)


@pytest.fixture
def card() -> torch.device:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA card here")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda:0")


class Plain(Graphed):
    """Takes the step from the same places, as it is; counts what was captured."""

    captured_sizes: list[int]

    def __init__(self, step: graph.Step) -> None:
        super().__init__(step)
        self.captured_sizes = []

    def capture(self, places: Sequence[Tensor]) -> Callable[[], None]:
        self.captured_sizes.append(len(places[1]))
        return lambda: self.step(*places)


# --- On any machine -------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [1, 2])
def test_a_shape_that_comes_often_is_captured_once_and_fed_what_comes(
    plain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "PLAIN", plain)
    total, seen = torch.zeros(()), []

    def step(rate: Tensor, batch: Tensor) -> None:
        seen.append((rate.data_ptr(), batch.data_ptr()))
        total.add_(rate * batch.sum())

    graphed = Plain(step)
    sizes = (3, 3, 2, 3, 2, 1, 2, 3)
    rates = [torch.tensor(float(i)) for i in range(len(sizes))]
    batches = [torch.full((size,), float(i)) for i, size in enumerate(sizes)]
    for rate, batch in zip(rates, batches, strict=True):
        graphed(rate, batch)
    assert total == sum(rate * batch.sum() for rate, batch in zip(rates, batches, strict=True))
    assert graphed.captured_sizes == [3, 2]
    given = [
        (rate.data_ptr(), batch.data_ptr()) for rate, batch in zip(rates, batches, strict=True)
    ]
    for size, captured in ((3, True), (2, True), (1, False)):
        turns = [i for i, each in enumerate(sizes) if each == size]
        assert [seen[i] for i in turns[:plain]] == [given[i] for i in turns[:plain]]
        places = {seen[i] for i in turns[plain:]}  # the same each time, whatever came
        assert len(places) == captured
        assert places.isdisjoint(given)
    assert [batch.tolist() for batch in batches[:2]] == [[0.0] * 3, [1.0] * 3]


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN, CALIBRATED], ids=["vae", "ae", "sigma"])
def test_the_loop_learns_the_same_through_places(
    settings: ModelSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = digits()
    plain, through = build(settings), build(settings)
    epochs = list(autoencode.train(plain, settings, QUICK, images, seed=0))
    real, made = loop.step_of, []

    def as_on_a_card(*arguments: Any) -> graph.Step:
        made.append(Plain(real(*arguments)))
        return made[-1]

    monkeypatch.setattr(loop, "step_of", as_on_a_card)
    assert list(autoencode.train(through, settings, QUICK, images, seed=0)) == epochs
    assert differing(plain, through) == []
    assert [graphed.captured_sizes for graphed in made] == [[64, 82, 100]]


# --- On a card ------------------------------------------------------------------------------------


def learn(
    card: torch.device, settings: ModelSettings, recipe: Recipe = QUICK, *, images: Any = None
) -> tuple[torch.nn.Module, list[Epoch]]:
    network = build(settings)
    given = digits()[0].to(card) if images is None else images
    epochs = autoencode.train(network, settings, recipe, given, seed=0, device=card)
    return network, list(epochs)


@gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN, CALIBRATED], ids=["vae", "ae", "sigma"])
def test_a_graph_learns_what_plain_steps_do(
    card: torch.device, settings: ModelSettings, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(QUICK, precision=precision)
    graphed, epochs = learn(card, settings, recipe)
    again, epochs_again = learn(card, settings, recipe)
    assert epochs_again == epochs
    assert differing(graphed, again) == []
    monkeypatch.setattr(graph, "Graphed", Plain)
    plain, plain_epochs = learn(card, settings, recipe)
    assert plain_epochs == epochs
    assert differing(graphed, plain) == []


@gpu
def test_a_classifier_by_graphs(card: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = classify.ClassifierSettings(epochs=2, batch_size=64, learning_rate=0.01)
    images, labels = (tensor.to(card) for tensor in digits())
    networks = [Classifier(), Classifier()]
    graphed = list(classify.train(networks[0], settings, images, labels, seed=0))
    monkeypatch.setattr(graph, "Graphed", Plain)
    assert list(classify.train(networks[1], settings, images, labels, seed=0)) == graphed
    assert differing(*networks) == []


@gpu
def test_a_card_learns_what_a_processor_does(card: torch.device) -> None:
    slow = replace(QUICK, optimizer="adam", learning_rate=0.0005)  # rounding grows with the rate
    _, there = learn(card, VARIATIONAL, slow)
    _, here = learn(torch.device("cpu"), VARIATIONAL, slow, images=digits()[0])
    for one, other in zip(there, here, strict=True):
        assert one.means == pytest.approx(other.means, rel=1e-3)


@gpu
def test_images_that_stay_on_the_processor_are_streamed(
    card: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHUNK", 100 * 784)
    there, epochs = learn(card, VARIATIONAL)
    streamed, streamed_epochs = learn(card, VARIATIONAL, images=digits()[0])
    assert streamed_epochs == epochs
    assert differing(there, streamed) == []

    settings = classify.ClassifierSettings(epochs=2, batch_size=64, learning_rate=0.01)
    images, labels = digits()
    networks = [Classifier(), Classifier()]
    for network, given in zip(networks, (images.to(card), images), strict=True):
        list(classify.train(network, settings, given, labels.to(card), seed=0, device=card))
    assert differing(*networks) == []


@gpu
def test_a_killed_training_goes_on_to_the_same_end(card: torch.device, tmp_path: Path) -> None:
    images = digits()[0].to(card)
    whole, epochs = learn(card, VARIATIONAL)
    for stop in (True, False):
        network = build(VARIATIONAL)
        kept = checkpoints_of("m", VARIATIONAL, QUICK, images, 0, folder=tmp_path)
        training = autoencode.train(network, VARIATIONAL, QUICK, images, seed=0, checkpoints=kept)
        if stop:
            assert [next(training), next(training)] == epochs[:2]
            del training  # after the first epoch's checkpoint and the second's
        else:
            assert len(kept.epochs) == 2
            assert list(training) == epochs
            assert differing(whole, network) == []
