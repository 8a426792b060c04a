"""The loop against a plain one with torch's own Adam, on a linear regression and on networks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch
from msgspec.structs import replace
from support.training import PLAIN, RECIPE, VARIATIONAL, differing, digits, pairs
from torch import Tensor, nn

from mnist_vae import seeds
from mnist_vae.errors import InputError
from mnist_vae.nets import devices
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.train import loop
from mnist_vae.train.autoencode import Autoencode
from mnist_vae.train.classify import Classify
from mnist_vae.train.loop import Epoch, Task
from mnist_vae.train.recipe import Recipe

GROWING = replace(RECIPE, epochs=3, batch_size=16, last_batch_size=32, beta2=0.9)
SIZE = 40
FAST = "mnist_vae.nets.fast"


@dataclasses.dataclass
class Line:
    """A ``loop.Task``: a linear regression, with noise on what goes in."""

    network: nn.Linear
    examples: tuple[Tensor, Tensor]
    remedy: str = "draw a flatter line"
    image_size: int = 0
    terms: tuple[str, ...] = ("loss", "size")
    batches: list[tuple[Tensor, ...]] = dataclasses.field(default_factory=list)

    def draw(self, generator: torch.Generator, count: int) -> tuple[Tensor]:
        return (0.1 * torch.randn(count, 3, generator=generator),)

    def losses(self, *batch: Tensor) -> tuple[Tensor, ...]:
        self.batches.append(batch)
        x, y, noise = batch
        error = self.network(x + noise).squeeze(1) - y
        return error.square(), error.abs()


def make_line() -> Line:
    torch.manual_seed(0)
    x = torch.randn(SIZE, 3)
    return Line(nn.Linear(3, 1), (x, x @ torch.tensor([1.0, -2.0, 3.0]) + 4))


def make_autoencode(settings: ModelSettings) -> Autoencode:
    torch.manual_seed(0)
    return Autoencode(build(settings), settings, (digits()[0][:SIZE],))


def make_classify() -> Classify:
    torch.manual_seed(0)
    images, labels = digits()
    return Classify(Classifier(), (images[:SIZE], labels[:SIZE]))


TASKS: dict[str, Callable[[], Task]] = {
    "line": make_line,
    "vae": lambda: make_autoencode(VARIATIONAL),
    "ae": lambda: make_autoencode(PLAIN),
    "classifier": make_classify,
}


def learn(task: Task, recipe: Recipe = GROWING, seed: int = 0, peak: float = 0.01) -> list[Epoch]:
    return list(loop.train(task, recipe, peak=peak, seed=seed))


def learn_plainly(task: Task, recipe: Recipe, seed: int, peak: float) -> list[dict[str, float]]:
    """The same training by torch's Adam, the network as it is; means over examples."""
    adam = torch.optim.Adam(task.network.parameters(), betas=(0.9, recipe.beta2))
    size, epochs = len(task.examples[0]), []
    for epoch in range(1, recipe.epochs + 1):
        generator = torch.Generator().manual_seed(seeds.number(seed, "epoch", epoch))
        order, random = torch.randperm(size, generator=generator), task.draw(generator, size)
        sums: dict[str, float] = dict.fromkeys(task.terms, 0.0)
        starts = range(0, size, recipe.batch(epoch))
        for start, rate in zip(starts, recipe.rates(epoch, len(starts)), strict=True):
            rows = slice(start, start + starts.step)
            batch = [examples[order[rows]] for examples in task.examples]
            losses = task.losses(*batch, *(numbers[rows] for numbers in random))
            adam.param_groups[0]["lr"] = peak * rate
            adam.zero_grad()
            losses[0].mean().backward()
            adam.step()
            for term, each in zip(task.terms, losses, strict=True):
                sums[term] += each.double().sum().item()
        epochs.append({name: total / size for name, total in sums.items()})
    return epochs


# --- Against a plain loop -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "batch_size"),
    [
        *(("line", batch_size) for batch_size in (1, 16, 39, 40, 1000)),
        *((name, 16) for name in ("vae", "ae", "classifier")),
    ],
)
def test_it_learns_what_a_plain_loop_does(name: str, batch_size: int) -> None:
    recipe = replace(GROWING, batch_size=batch_size)
    ours, plain = TASKS[name](), TASKS[name]()
    epochs = learn(ours, recipe, seed=3, peak=0.002)
    forms = [module for module in ours.network.modules() if type(module).__module__ == FAST]
    assert bool(forms) == (name != "line")
    expected = learn_plainly(plain, recipe, seed=3, peak=0.002)
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    for epoch, means in zip(epochs, expected, strict=True):
        assert epoch.means == pytest.approx(means, rel=1e-4)
    for key, values in pairs(ours.network, plain.network):
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-5, msg=key)


# --- Epochs ---------------------------------------------------------------------------------------


def test_every_epoch_has_each_example_once_in_an_order_and_with_noise_of_its_own() -> None:
    task = make_line()
    learn(task)
    assert [len(batch[0]) for batch in task.batches] == [16, 16, 8, 24, 16, 32, 8]
    epochs = [task.batches[:3], task.batches[3:5], task.batches[5:]]
    x, y, noise = (
        [torch.cat([batch[part] for batch in epoch]) for epoch in epochs] for part in range(3)
    )
    rows = [[int((task.examples[0] == row).all(1).nonzero()) for row in seen] for seen in x]
    for order, targets in zip(rows, y, strict=True):
        assert sorted(order) == list(range(SIZE))
        assert torch.equal(targets, task.examples[1][order])
    assert rows[0] != rows[1] != rows[2] != list(range(SIZE))
    assert len(torch.cat(noise).unique(dim=0)) == 3 * SIZE


def test_epochs_come_one_at_a_time() -> None:
    task = make_line()
    epochs = loop.train(task, RECIPE, peak=0.01, seed=0)
    assert next(epochs).number == 1
    weight = task.network.weight.detach().clone()
    assert next(epochs).number == 2
    assert not torch.equal(task.network.weight, weight)
    assert next(epochs, None) is None


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", TASKS)
def test_what_has_learned_is_float32_and_in_no_graph(name: str, precision: str) -> None:
    task = TASKS[name]()
    learn(task, replace(GROWING, precision=precision))
    assert not task.network.training
    for p in task.network.parameters():
        assert p.dtype == torch.float32
        assert p.is_contiguous()
        assert p.grad is None


# --- Seeds ----------------------------------------------------------------------------------------


def test_a_seed_is_one_training_whatever_else_is_drawn() -> None:
    one, again = make_line(), make_line()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    epochs = learn(one, seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert learn(again, seed=7) == epochs
    assert differing(one.network, again.network) == []


@pytest.mark.parametrize("seed", [1, 2**32 - 1, 2**64 - 1])
def test_another_seed_is_another_training(seed: int) -> None:
    one, other = make_line(), make_line()
    assert learn(one, seed=0) != learn(other, seed=seed)
    assert differing(one.network, other.network) == ["weight", "bias"]


# --- What cannot be trained -----------------------------------------------------------------------


def test_a_loss_that_is_no_number_names_the_epoch_and_the_remedy() -> None:
    task = make_line()
    epochs = loop.train(task, GROWING, peak=0.01, seed=0)
    next(epochs)
    task.examples[1][3] = math.nan
    assert math.isfinite(next(epochs).means["loss"])  # gathered before
    message = "^the loss became nan in epoch 3: draw a flatter line; no weights were published$"
    with pytest.raises(InputError, match=message):
        next(epochs)


def test_parameters_that_are_no_numbers_are_refused_with_any_loss() -> None:
    class Steep(Line):
        """Its loss is 0 where its slope is infinite."""

        terms = ("loss",)

        def losses(self, *batch: Tensor) -> tuple[Tensor]:
            return (self.network(batch[0]).abs().sqrt().squeeze(1),)

    line = make_line()
    nn.init.zeros_(line.network.weight)
    nn.init.zeros_(line.network.bias)
    with pytest.raises(InputError, match="in epoch 1: draw a flatter line"):
        learn(Steep(line.network, line.examples), replace(RECIPE, batch_size=SIZE))


# --- Precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "there", "dtype"),
    [
        ("float32", True, torch.float32),
        ("bfloat16", True, torch.bfloat16),
        ("bfloat16", False, torch.float32),
    ],
)
def test_bfloat16_is_only_computed_in_where_the_hardware_has_it(
    monkeypatch: pytest.MonkeyPatch, precision: str, there: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: there)
    recipe = replace(RECIPE, precision=precision)
    assert loop.pick_dtype(recipe, torch.device("cpu")) == dtype


def test_each_step_is_told_with_the_part_of_its_epoch() -> None:
    told: list[tuple[int, float]] = []
    line = make_line()
    done = replace(GROWING, batch_size=16, last_batch_size=None, epochs=2)
    list(
        loop.train(
            line, done, peak=0.01, seed=0, tick=lambda epoch, part: told.append((epoch, part))
        )
    )
    assert [len(batch[0]) for batch in line.batches] == 2 * [16, 16, 8]
    assert told == [(epoch, step / 3) for epoch in (1, 2) for step in (1, 2, 3)]
