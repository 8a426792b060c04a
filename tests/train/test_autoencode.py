"""Training of a VAE or an autoencoder: what it learns, from which start, and what decides it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import deps
import pytest
import torch
from msgspec.structs import replace
from support.training import PLAIN, RECIPE, VARIATIONAL, differing, digits, train
from torch import Tensor

from mnist_vae import parallel
from mnist_vae.errors import InputError
from mnist_vae.nets import devices
from mnist_vae.nets.likelihood import KINDS, Name, squared_error
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.train import autoencode, objective
from mnist_vae.train.autoencode import Autoencode, checkpoints_of

QUICK = replace(
    RECIPE, epochs=5, batch_size=20, optimizer="muon", learning_rate=0.012, warmup=0.1, beta2=0.99
)

# --- Learning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(kind="vae", latent_dim=16, kl_weight=1 / (512 * 16)),
        ModelSettings(kind="ae", latent_dim=16),
    ],
    ids=["vae", "ae"],
)
def test_it_learns_real_digits(settings: ModelSettings, precision: str) -> None:
    images, _ = digits()
    network, epochs = train(images, settings, replace(QUICK, precision=precision))
    # Ten seeds ended at 13.8 to 15.3, those of an autoencoder at 13.0 to 15.7, in either precision;
    # the mean image has 51.2.
    assert epochs[-1].means["loss"] < 16
    with torch.inference_mode():
        x = images / 255
        decoded = network.decode(network.encode(x)[0])
    assert squared_error(x, decoded).mean() < 15  # 11.8 to 14.5


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN], ids=["vae", "ae"])
def test_a_recipe_recentres_after_the_last_epoch(images: Tensor, settings: ModelSettings) -> None:
    plain, epochs = train(images, settings)
    network, same = train(images, settings, replace(RECIPE, recentre=True))
    assert same == epochs
    if network.logvar is None:
        assert differing(plain, network) == []
        return
    assert set(differing(plain, network)) == {
        "mean.weight",
        "mean.bias",
        "logvar.bias",
        "hidden.0.weight",
        "hidden.0.bias",
    }
    with torch.inference_mode():
        mean, logvar = network.encode(images / 255)
        assert logvar is not None
        assert (mean.mean(0)).abs().max() < 1e-4
        assert (mean.var(0, correction=0) + logvar.exp().mean(0) - 1).abs().max() < 1e-3


def test_bfloat16_is_close_to_float32_at_first(images: Tensor) -> None:
    single, half = (
        train(images, recipe=replace(RECIPE, epochs=1, precision=precision))[1][0].means
        for precision in ("float32", "bfloat16")
    )
    assert single != half
    assert half["loss"] == pytest.approx(single["loss"], rel=0.02)
    assert half["kl"] == pytest.approx(single["kl"], rel=0.05)


def test_a_larger_kl_weight_makes_a_smaller_kl(images: Tensor) -> None:
    recipe = replace(RECIPE, epochs=6)
    light, heavy = (
        train(images, replace(VARIATIONAL, kl_weight=weight), recipe)[1][-1].means["kl"]
        for weight in (0.01, 10.0)
    )
    assert heavy < light / 2


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN], ids=["vae", "ae"])
@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_the_terms_under_the_models_likelihood(
    images: Tensor, settings: ModelSettings, kind: Name
) -> None:
    settings = replace(settings, likelihood=kind)
    network, few = build(settings), images[:10]
    task = Autoencode(network, settings, (few,))
    (noise,) = task.draw(torch.Generator().manual_seed(0), 10)
    assert noise.shape == (10, 4)
    x = few.float() / 255
    terms = objective.terms(x, network(x, noise), settings.kl_weight, KINDS[kind])._asdict()
    losses = task.losses(few, noise)
    assert task.terms == tuple(name for name, term in terms.items() if term is not None)
    for name, loss in zip(task.terms, losses, strict=True):
        torch.testing.assert_close(loss, terms[name])


def test_pixels_are_drawn_anew_each_time_with_the_grey_as_their_probability() -> None:
    greys = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    grey = greys.expand(2000, 1, 16, 16)
    settings = replace(VARIATIONAL, likelihood="bernoulli", kl_weight=1)
    network = build(settings, image_size=16)
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    task = Autoencode(network, settings, (grey,), binarise=True)
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        noise, chances = task.draw(generator, 2000)
        task.losses(grey, noise, chances)
    for pixels in seen:
        assert set(pixels.unique().tolist()) == {0.0, 1.0}
        # A mean of 2,000 draws; six of its largest standard deviations.
        assert (pixels.mean(0) - greys[0] / 255).abs().max() < 6 * 0.5 / 2000**0.5
        assert pixels[:, 0, 0, 0].sum() == 0
        assert pixels[:, 0, -1, -1].sum() == 2000
    assert not torch.equal(*seen)


# --- Where it starts ------------------------------------------------------------------------------


def test_a_seed_decides_the_start(images: Tensor) -> None:
    still = replace(RECIPE, epochs=1, learning_rate=1e-30)
    one, two = (train(images, recipe=still, seed=seed)[0] for seed in (0, 1))
    assert (one.mean.weight - two.mean.weight).abs().max() > 0.01
    brightness = images.float().mean().item() / 255
    (bias,) = one.state_dict()["decoder.5.bias"].tolist()
    assert bias == pytest.approx(math.log(brightness / (1 - brightness)), rel=1e-5)


def test_what_the_parameters_were_before_does_not_matter(images: Tensor) -> None:
    torch.manual_seed(1)
    first, epochs = train(images, seed=7)
    network = build(VARIATIONAL)
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 3.0)
    again = autoencode.train(network, VARIATIONAL, RECIPE, images, seed=7)
    assert list(again) == epochs
    assert differing(first, network) == []


def test_a_scale_is_a_factor_on_the_rate(images: Tensor) -> None:
    scaled, _ = train(images, replace(VARIATIONAL, learning_rate_scale=0.5))
    halved, _ = train(images, recipe=replace(RECIPE, learning_rate=0.005))
    whole, _ = train(images)
    assert differing(scaled, halved) == []
    assert differing(scaled, whole)


def test_a_rate_that_is_too_high_is_refused(images: Tensor) -> None:
    settings = replace(VARIATIONAL, learning_rate_scale=100.0)
    message = r"the loss became (nan|inf) in epoch 1: lower the recipe's learning_rate or"
    with pytest.raises(InputError, match=message):
        train(images, settings, replace(RECIPE, learning_rate=10.0))


# --- What decides it ------------------------------------------------------------------------------


def keys(images: Tensor, changes: Iterable[dict[str, Any]]) -> set[str]:
    """Keys of the checkpoints of trainings that differ from the usual one by a change each."""
    usual: dict[str, Any] = {"settings": VARIATIONAL, "recipe": RECIPE, "images": images, "seed": 0}
    folder = Path("none")
    return {checkpoints_of("m", **usual | change, folder=folder).key for change in changes}


def test_whatever_decides_a_training_is_in_the_name_of_its_checkpoints(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = images.clone()
    other[0, 0, 0, 0] += 1
    changes: list[dict[str, Any]] = [
        {},
        {"settings": replace(VARIATIONAL, kl_weight=0.02)},
        {"recipe": replace(RECIPE, learning_rate=0.02)},
        {"recipe": replace(RECIPE, epochs=3)},
        {"images": other},
        {"images": images.view(128, 2, 28, 28)},
        {"seed": 1},
        {"binarise": True},
    ]
    usual = keys(images, changes)
    assert len(usual) == len(changes)
    assert keys(images.clone(), changes) == usual
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert not keys(images, changes) & usual
    monkeypatch.undo()
    monkeypatch.setattr(devices, "describe", lambda device: "another processor")
    assert not keys(images, changes) & usual
    monkeypatch.undo()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")  # as on a processor with fewer instructions
    assert not keys(images, changes) & usual
    monkeypatch.undo()
    monkeypatch.setattr(parallel, "count", lambda: 2)
    assert not keys(images, changes) & usual
    monkeypatch.undo()
    assert keys(images, changes) == usual


def test_the_precision_that_is_really_used_is_in_the_name_of_its_checkpoints(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = [{"recipe": replace(RECIPE, precision="bfloat16")}]
    there, single = keys(images, half), keys(images, [{}])
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: False)
    assert not keys(images, half) & there
    assert keys(images, [{}]) == single


def test_the_number_of_threads_is_in_the_name_of_its_checkpoints(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found |= keys(images, [{}])
    assert len(found) == 3


def test_all_the_code_of_a_training_is_in_the_name_of_its_checkpoints(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def read_bytes(path: Path) -> bytes:
        read.append(path.relative_to(deps.ROOT).as_posix())
        return b""

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    keys(images, [{}])
    of_the_stage = [dep.split("/")[2:] for dep in deps.code_deps("stages/train.py")]
    rooms = {"/".join(dep) for dep in of_the_stage if dep and dep[0] in ("nets", "train")}
    # Latents are recentred after the last checkpoint.
    no_part = {"nets/weights.py", "train/progress.py", "train/recentre.py"}
    assert set(read) == {
        f"src/mnist_vae/{dep}" for dep in rooms - no_part | {"parallel.py", "seeds.py"}
    }
