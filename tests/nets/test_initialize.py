"""Fresh parameters: PyTorch's own, those that keep variance, and pairs that look linear."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from support.networks import draw, fresh
from torch import Tensor, nn

from mnist_vae.nets.initialize import Initialization, initialize, layers_of
from mnist_vae.nets.vae import VAE


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


def test_pytorch_initialization_is_that_of_its_own_layers() -> None:
    torch.manual_seed(3)
    theirs = VAE(16)
    network = fresh(VAE(16), "pytorch", seed=3)
    for expected, ours in zip(theirs.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("scheme", ["he", "looks_linear"])
@pytest.mark.parametrize("widths", [(16, 32, 64), (64, 64, 64), (8, 64, 128)])
def test_initialization_keeps_the_variance_of_activations(
    widths: tuple[int, int, int], scheme: Initialization
) -> None:
    network = fresh(VAE(64, widths=widths), scheme)
    last = layers_of(network.decoder)[-1]
    last.get_parameter("bias").data.zero_()  # not an activation's variance but the images' mean
    gains: dict[nn.Module, float] = {}

    def watch(layer: nn.Module, given: tuple[Tensor], output: Tensor) -> None:
        gains[layer] = rms(output) / rms(given[0])

    for layer in layers_of(network):
        layer.register_forward_hook(watch)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        mean, _ = network.encode(torch.randn(256, 1, 28, 28, generator=generator))
        network.decode(torch.randn(256, 64, generator=generator))

    assert len(gains) == 9
    for module, gain in gains.items():
        if module is not network.logvar:
            # ReLU halves the second moment, so that a layer before one doubles it.
            expected = 1 if module in (network.mean, last) else math.sqrt(2)
            assert gain == pytest.approx(expected, rel=0.35), module
    assert rms(mean) == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize("scheme", ["he", "looks_linear"])
def test_it_starts_with_a_small_log_variance_and_the_images_mean(scheme: Initialization) -> None:
    output = fresh(VAE(16), scheme).double()(draw(64, 1, 28, 28), torch.zeros(64, 16))
    assert (output.logvar + 3).abs().max() < 0.5
    assert output.logits.sigmoid().mean().item() == pytest.approx(0.13, rel=0.5)


@pytest.mark.parametrize("pixel_mean", [0.0, 1.0])
def test_images_all_of_one_colour_leave_the_output_finite(pixel_mean: float) -> None:
    network = VAE(2)
    initialize(network, "he", torch.Generator().manual_seed(0), pixel_mean)
    pixels = network.decode(torch.zeros(1, 2))
    assert pixels.mean().item() == pytest.approx(pixel_mean, abs=0.01)
    assert 0 < pixels.min() <= pixels.max() < 1


@pytest.mark.parametrize(("scheme", "linear"), [("looks_linear", True), ("he", False)])
def test_a_fresh_network_looks_linear(scheme: Initialization, linear: bool) -> None:
    network = fresh(VAE(16), scheme).double()
    with torch.no_grad():
        layers_of(network.decoder)[-1].get_parameter("bias").zero_()  # that of the mean image
        x, y = draw(8, 1, 28, 28), draw(8, 1, 28, 28, seed=1)
        means = [network.encode(images)[0] for images in (x, y, x + y)]
        h, k = draw(8, 64), draw(8, 64, seed=1)
        logits = [network.decoder(hidden) for hidden in (h, k, h + k)]
    for first, second, together in (means, logits):
        assert torch.allclose(first + second, together, rtol=0, atol=1e-9) == linear


def test_pairs_do_not_reach_latents() -> None:
    network = fresh(VAE(16))
    assert isinstance(network.logvar, nn.Linear)
    kernels = [network.mean.weight, network.logvar.weight, layers_of(network.decoder)[0].weight]
    assert [int(torch.linalg.matrix_rank(k.detach().flatten(1))) for k in kernels] == [16, 16, 64]


def test_the_decoders_first_units_bend_where_latents_are() -> None:
    first = fresh(VAE(2, widths=(16, 32, 4096))).hidden[0]
    assert isinstance(first, nn.Linear)
    # Distance from the origin to where a unit starts to fire.
    distance = first.bias.detach().abs() / first.weight.detach().norm(dim=1)
    assert 0.5 < distance.median().item() < 2
    assert (first.bias.std() / first.weight.std()).item() == pytest.approx(2, rel=0.05)
    assert (first.bias > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("scheme", get_args(Initialization))
def test_a_seed_is_one_initialization(scheme: Initialization) -> None:
    first, again, other = (fresh(VAE(16), scheme, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first if "weight" in key)
