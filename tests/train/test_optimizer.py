"""Adam against torch's own, Muon against the singular value decomposition."""

from __future__ import annotations

import math

import pytest
import torch
from support.training import differing, pairs
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.vae import VAE
from mnist_vae.train.optimizer import Optimizer, orthogonalizers

RATE = torch.tensor(0.01)


def draw_gradients(network: nn.Module, seed: int) -> None:
    """Give each parameter a gradient of standard normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    for p in network.parameters():
        p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)


def twin() -> VAE:
    """The same small network each time."""
    torch.manual_seed(0)
    return VAE(3, image_size=20)


def move(network: nn.Module, *, muon: bool, seed: int = 0) -> dict[str, Tensor]:
    """How far one step moves each parameter."""
    start = {name: p.clone() for name, p in network.state_dict().items()}
    optimizer = Optimizer(network, torch.float32, beta2=0.999, muon=muon)
    draw_gradients(network, seed)
    optimizer.step(RATE)
    optimizer.release()
    return {name: p - start[name] for name, p in network.state_dict().items()}


# --- Adam -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta2", [0.999, 0.9])
def test_adam_is_torchs(beta2: float) -> None:
    ours, theirs = twin(), twin()
    optimizer = Optimizer(ours, torch.float32, beta2=beta2, muon=False)
    adam = torch.optim.Adam(theirs.parameters(), betas=(0.9, beta2))
    for step in range(5):
        rate = 0.01 / (step + 1)
        draw_gradients(ours, step)
        draw_gradients(theirs, step)
        optimizer.step(torch.tensor(rate))
        adam.param_groups[0]["lr"] = rate
        adam.step()
    optimizer.release()
    for name, values in pairs(ours, theirs):
        torch.testing.assert_close(*values, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_steps_are_not_lost_to_rounding(dtype: torch.dtype) -> None:
    network = twin()
    before = {name: p.clone() for name, p in network.state_dict().items()}
    optimizer = Optimizer(network, dtype, beta2=0.999, muon=False)
    for _ in range(100):
        for p in network.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step(torch.tensor(1e-6))
    optimizer.release()
    for name, p in network.state_dict().items():
        moved = before[name] - p
        torch.testing.assert_close(moved, torch.full_like(p, 1e-4), rtol=0.02, atol=1e-7)


# --- Muon -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 1568), (64, 64), (96, 32), (1, 5)])
def test_singular_values_become_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    spread = torch.logspace(0, -1.5, len(s))
    # Two of them, of sizes far apart: each by itself.
    stack = torch.stack([u * spread @ v, 1e-6 * u * spread @ v])
    large, small = orthogonalizers(stack) @ stack
    torch.testing.assert_close(large, small, rtol=0, atol=1e-3)
    values = torch.linalg.svdvals(large)
    assert values.min() > 0.6
    assert values.max() < 1.3
    # The directions stay: u, v diagonalize the result too.
    core = u.t() @ large @ v.t()
    assert (core - torch.diag(torch.diag(core))).abs().max() < 1e-3


def test_nothing_to_move_moves_nothing() -> None:
    nothing = torch.zeros(2, 4, 9)
    assert torch.equal(orthogonalizers(nothing) @ nothing, nothing)


@pytest.mark.parametrize(
    ("network", "paces"),
    [
        (twin(), {"encoder.4.weight": 0.3, "decoder.1.weight": 0.6}),
        (Classifier(image_size=20, widths=(4, 6, 10)), {"body.4.weight": 0.3}),
        (
            MLP(3, image_size=8, widths=(20, 12)),  # some are wide, some tall, two of one shape
            {
                f"{layer}.weight": 0.2
                for layer in (
                    *("encoder.1", "encoder.3", "mean", "logvar"),
                    *("hidden.0", "decoder.0", "decoder.2"),
                )
            },
        ),
    ],
    ids=["two kernels", "one kernel", "no kernel"],
)
def test_muon_moves_kernels_of_whole_maps_or_all_matrices_and_adam_the_rest(
    network: nn.Module, paces: dict[str, float]
) -> None:
    start = {name: p.clone() for name, p in network.state_dict().items()}
    with_muon = move(network, muon=True)
    network.load_state_dict(start)
    without = move(network, muon=False)
    for name, step in with_muon.items():
        if name in paces:
            matrix = step.permute(0, 2, 3, 1).flatten(1) if step.ndim == 4 else step
            size = 0.01 * paces[name] * math.sqrt(max(matrix.shape))
            values = torch.linalg.svdvals(matrix) / size
            assert 0.6 < values.min() <= values.max() < 1.3
        else:
            assert torch.equal(step, without[name]), name


def test_muon_looks_ahead() -> None:
    """A step goes where the average gradient will be if the next one is the same again."""
    network = Classifier(image_size=20, widths=(4, 6, 10))
    kernel = network.get_parameter("body.4.weight")
    optimizer = Optimizer(network, torch.float32, beta2=0.999, muon=True)
    average, gradient = torch.zeros(kernel.shape), torch.zeros(kernel.shape)
    for seed in (1, 2):
        draw_gradients(network, seed)
        assert kernel.grad is not None
        gradient = kernel.grad.clone()
        average = 0.9 * average + 0.1 * gradient
        before = kernel.detach().clone()
        optimizer.step(RATE)
    moved, ahead, behind = (
        part.permute(0, 2, 3, 1).flatten(1)
        for part in (before - kernel.detach(), 0.9 * average + 0.1 * gradient, average)
    )

    def off_diagonal(of: Tensor) -> float:
        u, _, v = torch.linalg.svd(of, full_matrices=False)
        core = u.t() @ moved @ v.t()
        return ((core - torch.diag(torch.diag(core))).abs().max() / core.abs().max()).item()

    assert off_diagonal(ahead) < 2e-3
    assert off_diagonal(behind) > 0.05


# --- Both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("muon", [False, True])
def test_a_step_reads_the_rate_where_it_lies(muon: bool) -> None:
    """The same tensor changed in place is another rate, as in a graph that is captured once."""
    ours, fresh = twin(), twin()
    mine, other = (Optimizer(net, torch.float32, beta2=0.9, muon=muon) for net in (ours, fresh))
    for network in (ours, fresh):
        draw_gradients(network, 0)
    rate = torch.tensor(0.01)
    # Tracing takes a step, and fails where the step asks for the number.
    graph = make_fx(lambda number: mine.step(number))(rate)
    other.step(torch.tensor(0.01))
    graph(rate.fill_(0.002))
    other.step(torch.tensor(0.002))
    assert differing(ours, fresh) == []
    assert len(differing(ours, twin())) == len(ours.state_dict())


@pytest.mark.parametrize("muon", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_convolutions_alone_are_rounded(dtype: torch.dtype, muon: bool) -> None:
    network, plain = twin(), twin()
    optimizer = Optimizer(network, dtype, beta2=0.9, muon=muon)
    for name, (p, exact) in pairs(network, plain):
        convolution = name.startswith(("encoder", "decoder"))
        assert torch.equal(p, exact.to(dtype) if convolution else exact), name
        if p.ndim == 4:
            assert p.is_contiguous(memory_format=torch.channels_last), name
    draw_gradients(network, 0)
    optimizer.release()
    assert differing(network, plain) == []
    for p in network.parameters():
        assert p.is_contiguous()
        assert p.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_restored_state_goes_on_the_same(dtype: torch.dtype) -> None:
    first, second = twin(), VAE(3, image_size=20)
    one, other = (Optimizer(net, dtype, beta2=0.9, muon=True) for net in (first, second))
    for step in range(3):
        draw_gradients(first, step)
        one.step(RATE)
    other.restore(one.state())
    for network, optimizer in ((first, one), (second, other)):
        draw_gradients(network, 3)
        optimizer.step(RATE)
    assert differing(first, second) == []


def test_gradients_are_forgotten() -> None:
    network = twin()
    draw_gradients(network, 0)
    Optimizer(network, torch.float32, beta2=0.9, muon=True).zero_grad()
    assert all(p.grad is None for p in network.parameters())
