"""Adam against torch's own, Muon against the singular value decomposition."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mnist_vae.nets.classifier import Classifier
from mnist_vae.nets.vae import VAE
from mnist_vae.train.optimizer import Optimizer, orthogonalizers


def gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        p.grad = torch.randn(p.shape, generator=generator)


def twin(seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(3, image_size=8)


@pytest.mark.parametrize("beta2", [0.999, 0.9])
def test_adam_is_torchs(beta2: float) -> None:
    mine, theirs = twin(), twin()
    optim = Optimizer(mine, torch.float32, beta2=beta2, muon=False)
    adam = torch.optim.Adam(theirs.parameters(), betas=(0.9, beta2))
    for step in range(5):
        rate = 0.01 / (step + 1)
        gradients(mine, step)
        for p, q in zip(mine.parameters(), theirs.parameters(), strict=True):
            q.grad = p.grad
        optim.step(rate)
        adam.param_groups[0]["lr"] = rate
        adam.step()
    optim.release()
    for name, value in mine.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(64, 1568), (64, 64), (96, 32), (1, 5)])
def test_singular_values_become_one(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    spread = torch.logspace(0, -1.5, len(s))
    # Two of them, of sizes far apart: each by itself.
    stack = torch.stack([u * spread @ v, 1e-6 * u * spread @ v])
    both = orthogonalizers(stack) @ stack
    torch.testing.assert_close(both[0], both[1], rtol=0, atol=1e-3)
    found = both[0]
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    # The directions stay: u, v diagonalize the result too.
    core = u.t() @ found @ v.t()
    assert (core - torch.diag(torch.diag(core))).abs().max() < 1e-3


def test_nothing_to_move_moves_nothing() -> None:
    nothing = torch.zeros(2, 4, 9)
    assert torch.equal(orthogonalizers(nothing) @ nothing, nothing)


def test_muon_moves_the_grid_kernels_and_adam_the_rest() -> None:
    with_muon, without = twin(), twin()
    start = {name: p.clone() for name, p in with_muon.state_dict().items()}
    moved = []
    for model, muon in ((with_muon, True), (without, False)):
        optim = Optimizer(model, torch.float32, beta2=0.999, muon=muon)
        gradients(model, 0)
        optim.step(0.01)
        optim.release()
        moved.append({name: p - start[name] for name, p in model.state_dict().items()})
    large = {"encoder.2.weight": 0.3, "decoder.2.weight": 0.6}
    for name, step in moved[0].items():
        if name in large:
            matrix = step.permute(0, 2, 3, 1).flatten(1)
            size = 0.01 * large[name] * math.sqrt(max(matrix.shape))
            values = torch.linalg.svdvals(matrix) / size
            assert 0.6 < values.min() <= values.max() < 1.3
        else:
            assert torch.equal(step, moved[1][name]), name


def test_muon_moves_a_kernel_that_stands_alone() -> None:
    torch.manual_seed(0)
    model = Classifier(image_size=8, widths=(4, 6, 10))
    kernel = "body.2.weight"
    start = model.state_dict()[kernel].clone()
    optim = Optimizer(model, torch.float32, beta2=0.999, muon=True)
    gradients(model, 0)
    optim.step(0.01)
    optim.release()
    matrix = (model.state_dict()[kernel] - start).permute(0, 2, 3, 1).flatten(1)
    values = torch.linalg.svdvals(matrix) / (0.01 * 0.3 * math.sqrt(max(matrix.shape)))
    assert 0.6 < values.min() <= values.max() < 1.3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_small_steps_are_not_lost_to_rounding(dtype: torch.dtype) -> None:
    model = twin()
    before = model.mean.weight.detach().clone()
    optim = Optimizer(model, dtype, beta2=0.999, muon=False)
    assert model.mean.weight.dtype == dtype
    for _ in range(100):
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optim.step(1e-6)
    optim.release()
    moved = before - model.mean.weight.detach()
    torch.testing.assert_close(moved, torch.full_like(moved, 1e-4), rtol=0.01, atol=1e-7)


@pytest.mark.parametrize("wanted", [lambda p: p.is_contiguous(), lambda p: p.grad is None])
def test_release_leaves_plain_parameters(wanted: Callable[[Tensor], bool]) -> None:
    model = twin()
    values = {name: p.clone() for name, p in model.state_dict().items()}
    Optimizer(model, torch.bfloat16, beta2=0.9, muon=True).release()
    assert all(wanted(p) for p in nn.ParameterList(model.parameters()))
    for name, value in model.state_dict().items():
        assert torch.equal(value, values[name]), name
