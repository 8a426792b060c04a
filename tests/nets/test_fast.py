"""The fast forms of the convolutions against the plain layers, in float64."""

from __future__ import annotations

import copy
from typing import TypeAlias

import pytest
import torch
from support.networks import draw, fresh, gradients, mix_precision
from torch import Tensor, nn

from mnist_vae.nets import fast, pyramid
from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.vae import VAE

Form: TypeAlias = tuple[torch.dtype, torch.device]
FORMS: list[Form] = [
    (dtype, torch.device(device))
    for device in ("cpu", "cuda")  # the forms for a card, computed here
    for dtype in (torch.float32, torch.bfloat16)
]
CONVOLUTIONS = nn.Conv2d | nn.ConvTranspose2d


def quick(network: VAE, form: Form | None) -> VAE:
    """A copy of a network with the fast forms for a type and a device, or with its plain layers."""
    other = copy.deepcopy(network)
    if form:
        dtype, device = form
        fast.put_in(other, image_size=other.image_size, dtype=dtype, device=device)
        assert not any(isinstance(layer, CONVOLUTIONS) for layer in other.modules())
    return other


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize(
    ("size", "channels", "widths"),
    [
        (28, 1, (16, 32, 64)),
        (28, 2, (3, 2, 1)),  # inner maps with as few channels as images
        (8, 3, (4, 5)),
        (24, 4, (5, 3, 4)),  # images with too many channels for forms of their own
        (32, 2, (1, 1, 1)),
        (64, 1, (2, 2, 2, 2)),
    ],
)
def test_a_form_computes_what_the_plain_layers_do(
    size: int, channels: int, widths: tuple[int, ...], count: int, form: Form
) -> None:
    network = VAE(5, image_size=size, channels=channels, widths=widths)
    fresh(network, "pytorch").double()
    other = quick(network, form)
    images = draw(count, channels, size, size).requires_grad_()
    noise = draw(count, 5, seed=1) * 2 - 1
    plain, output = network(images, noise), other(images, noise)
    torch.testing.assert_close(output, plain)
    torch.testing.assert_close(gradients(output, other, images), gradients(plain, network, images))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", range(8, 257, 4))
def test_all_sizes_and_channels(size: int, channels: int) -> None:
    """A map of an odd size has no form of its own and keeps its plain layers."""
    widths = (2, 3, 2, 3, 2, 3)[-len(pyramid.sizes(size)) :]
    network = VAE(2, image_size=size, channels=channels, widths=widths)
    fresh(network, "pytorch").double()
    images, noise = draw(2, channels, size, size), draw(2, 2, seed=1)
    plain = network(images, noise)
    assert plain.logits.shape == images.shape
    by_plain = gradients(plain, network)
    odd = any(inner % 2 for inner in pyramid.sizes(size)[:-1])
    # Of large images one form each, in turn.
    for dtype, device in FORMS if size <= 64 else FORMS[size // 4 % 4 :][:1]:
        other = copy.deepcopy(network)
        fast.put_in(other, image_size=size, dtype=dtype, device=device)
        assert odd == any(isinstance(layer, CONVOLUTIONS) for layer in other.modules())
        output = other(images, noise)
        torch.testing.assert_close(output, plain)
        torch.testing.assert_close(gradients(output, other), by_plain)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 5])
def test_the_classifier_has_the_same_forms(count: int, form: Form) -> None:
    torch.manual_seed(0)
    network = Classifier().double()
    other = copy.deepcopy(network)
    dtype, device = form
    fast.put_in(other, image_size=28, dtype=dtype, device=device)
    images = draw(count, 1, 28, 28).requires_grad_()
    plain, output = network(images), other(images)
    torch.testing.assert_close(output, plain)
    torch.testing.assert_close(
        gradients([output], other, images), gradients([plain], network, images)
    )


def test_bfloat16_takes_whole_rows_of_pixels() -> None:
    ends = fast.ImageConv2d | fast.ImageConvTranspose2d
    for size, run in ((28, 14), (32, 16), (64, 16), (72, 12), (244, 2)):  # long ones in parts
        network = VAE(2, image_size=size)
        fast.put_in(network, image_size=size, dtype=torch.bfloat16)
        runs = [layer.run for layer in network.modules() if isinstance(layer, ends)]
        assert runs == [run, run]


@pytest.mark.parametrize("form", FORMS)
def test_a_network_keeps_its_parameters_and_their_names(
    form: Form,
) -> None:
    network = VAE(2)
    keys, parameters = list(network.state_dict()), dict(network.named_parameters())
    dtype, device = form
    fast.put_in(network, image_size=28, dtype=dtype, device=device)
    assert list(network.state_dict()) == keys
    assert all(parameter is parameters[name] for name, parameter in network.named_parameters())


def test_placing_changes_nothing_but_rounding() -> None:
    network, placed = fresh(VAE(16)), fresh(VAE(16))
    fast.place(placed, torch.device("cpu"), image_size=28)
    assert not any(isinstance(layer, CONVOLUTIONS) for layer in placed.modules())
    images, noise = (draw(20, *shape, dtype=torch.float32) for shape in ((1, 28, 28), (16,)))
    torch.testing.assert_close(placed(images, noise), network(images, noise), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 5, stride=2, padding=2),
        nn.Conv2d(3, 4, 3, stride=2),
        nn.Conv2d(3, 4, 3, padding=1),
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(3, 4, 7, dilation=2),
        nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1),
        nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1),
    ],
    ids=str,
)
def test_convolutions_of_other_shapes_stay_as_they_are(layer: nn.Module) -> None:
    network = nn.Sequential(layer, nn.ReLU())
    fast.put_in(network, image_size=28, dtype=torch.float32)
    assert network[0] is layer
    assert isinstance(network[1], nn.ReLU)


def test_a_network_in_its_fast_forms_is_not_initialized_again() -> None:
    network = quick(VAE(2), FORMS[0])
    assert fast.is_placed(network)
    assert not fast.is_placed(VAE(2))
    with pytest.raises(ValueError, match="in its fast forms already"):
        fresh(network)


def test_layers_stay_plain_away_from_a_processor() -> None:
    network = VAE(2)
    fast.place(network, torch.device("meta"), image_size=28)
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
    assert sum(isinstance(layer, CONVOLUTIONS) for layer in network.modules()) == 6


@pytest.mark.parametrize("form", [None, FORMS[1], FORMS[3]])
def test_gradients_in_bfloat16_are_close_to_exact_ones(form: Form | None) -> None:
    half = fresh(VAE(5))
    mix_precision(half)
    exact = VAE(5).double()
    exact.load_state_dict(half.state_dict())
    half = quick(half, form)
    images, noise = draw(64, 1, 28, 28), draw(64, 5, seed=1)

    def by_parameters(network: VAE, dtype: torch.dtype) -> tuple[Tensor, ...]:
        pixels = network(images.to(dtype), noise.to(dtype)).logits.sigmoid().double()
        loss = (pixels - images).square().sum()
        return torch.autograd.grad(loss, list(network.parameters()))

    ours, theirs = by_parameters(half, torch.float32), by_parameters(exact, torch.float64)
    for one, other in zip(ours, theirs, strict=True):
        assert 0 < (one - other).norm() < 0.1 * other.norm()


@pytest.mark.parametrize("form", [None, *FORMS])
def test_a_network_first_used_in_inference_mode_still_learns(form: Form | None) -> None:
    network = fresh(VAE(2))
    images, noise = draw(2, 1, 28, 28, dtype=torch.float32), torch.zeros(2, 2)
    used, new = quick(network, form), quick(network, form)
    with torch.inference_mode():
        used(images, noise)
    torch.testing.assert_close(
        gradients(used(images, noise), used), gradients(new(images, noise), new)
    )


@pytest.mark.parametrize("form", [None, *FORMS])
@pytest.mark.parametrize("order", [("encoder", "decoder"), ("decoder", "encoder")])
def test_exporting_leaves_a_network_as_it_was(order: tuple[str, str], form: Form | None) -> None:
    network = quick(fresh(VAE(2)), form)
    images, hidden = (draw(3, *shape, dtype=torch.float32) for shape in ((1, 28, 28), (64,)))
    state = copy.deepcopy(network.state_dict())
    z = draw(3, 2, dtype=torch.float32)
    before = (*network.encode(images), network.decode(z))
    for part in order:
        module, given = getattr(network, part), images if part == "encoder" else hidden
        exported = torch.export.export(module, (given,)).module()
        torch.testing.assert_close(exported(given), module(given))
    after = (*network.encode(images), network.decode(z))
    for old, new in zip(before, after, strict=True):
        assert old is not None
        assert type(new) is Tensor  # not one of those that an export makes up
        assert torch.equal(old, new)
    for name, parameter in network.named_parameters():
        assert type(parameter) is nn.Parameter
        assert torch.equal(parameter, state[name])
    gradients(network(images, z), network)  # it can still learn
