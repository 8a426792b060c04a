"""Adam and Muon over the parameters of a model as one vector."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from mnist_vae import parallel
from mnist_vae.files.store import Arrays

# Each (a, b, c) takes singular values s to a·s + b·s³ + c·s⁵; one after the other they take all of
# them close to 1 (Polar Express: Amsel, Persson, Musco & Gower 2025).
POLAR_EXPRESS = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
)


class Optimizer:
    """Adam (Kingma & Ba 2015), with Muon (Jordan et al. 2024) for the largest kernels if asked.

    Muon moves a matrix by its momentum with all singular values set to 1, so that directions which
    the gradient hardly shows are learned too. It takes the convolutions whose kernels cover the
    whole map, those of stride 1: in a VAE two, which hold 94% of the parameters at MNIST's sizes.
    In a network without convolutions it takes all linear layers' matrices. What else there is moves
    by Adam.

    The parameters become views of vectors: those of convolutions in ``dtype``, those of linear
    layers in float32. Where ``dtype`` is less than float32, the vector that moves stays float32 and
    is copied out after each step, so that steps smaller than the rounding are not lost. Kernels lie
    channels last, as convolutions read them.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype, *, beta2: float, muon: bool) -> None:
        convs = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
        large = [conv for conv in convs if conv.stride == (1, 1)] if convs else linears
        # Matrices of one shape lie side by side.
        moved = sorted(large if muon else [], key=lambda layer: _shape(layer.weight))
        groups: list[list[Tensor]] = [
            [layer.weight for layer in moved],
            [p for conv in convs for p in conv.parameters()],
            list(network.parameters()),
        ]
        # In the vectors what Muon moves comes first, as stacks of matrices, then other parameters
        # of convolutions, then those of linear layers.
        self.parameters = list({id(p): p for group in groups for p in group}.values())
        self.master = torch.cat([_flat(p.detach()).float() for p in self.parameters])
        self.start = sum(p.numel() for p in groups[0])  # of what Adam moves
        self.convolutions = sum(p.numel() for p in groups[1])
        self.low = self.master[: self.convolutions].to(dtype)  # a view where that is float32
        self.grad = torch.zeros_like(self.master)
        self.mean = torch.zeros_like(self.master)
        self.square = torch.zeros_like(self.master[self.start :])
        self.steps = torch.zeros((), device=self.master.device)
        self.beta1, self.beta2 = 0.9, beta2
        self.stacks = []
        for shape, layers in itertools.groupby(moved, key=lambda layer: _shape(layer.weight)):
            paces = torch.tensor([_pace(layer) for layer in layers], device=self.master.device)
            self.stacks.append(((len(paces), *shape), paces[:, None, None]))
        count = len(groups[1])
        convolutional, linear = self.parameters[:count], self.parameters[count:]
        grads = self.grad.split([self.convolutions, len(self.grad) - self.convolutions])
        self.parts = [
            (part, grad) for part, grad in zip((convolutional, linear), grads, strict=True) if part
        ]
        for p, view in zip(convolutional, _views(self.low, convolutional), strict=True):
            p.data = view
        rest = _views(self.master[self.convolutions :], linear)
        for p, view in zip(linear, rest, strict=True):
            p.data = view

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """Move at a learning rate, a tensor of one number; every parameter must have a gradient."""
        for parameters, grad in self.parts:  # each of one type: so a GPU needs one kernel or two
            grad.copy_(torch.cat([_flat(p.grad) for p in parameters if p.grad is not None]))
        parallel.add_up(self.grad)
        start = self.start
        if start:
            grad, mean = self.grad[:start], self.mean[:start]
            mean.lerp_(grad, 1 - self.beta1)
            ahead = grad.lerp(mean, self.beta1)  # Nesterov's
            sizes = [math.prod(shape) for shape, _ in self.stacks]
            parts = zip(self.master[:start].split(sizes), ahead.split(sizes), strict=True)
            for (shape, paces), part in zip(self.stacks, parts, strict=True):
                weights, moves = (matrices.view(shape) for matrices in part)
                if shape[1] > shape[2]:
                    weights, moves = weights.mT, moves.mT
                turns = orthogonalizers(moves).mul_(paces * rate)
                weights.baddbmm_(turns, moves, alpha=-math.sqrt(max(shape[1:])))
        adam(
            [self.master[start:]],
            [self.grad[start:]],
            [self.mean[start:]],
            [self.square],
            max_exp_avg_sqs=[],
            state_steps=[self.steps],
            fused=True,
            amsgrad=False,
            beta1=self.beta1,
            beta2=self.beta2,
            lr=rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )
        self._copy_out()

    def state(self) -> Arrays:
        """All that the next step depends on."""
        return {name: tensor.cpu().numpy() for name, tensor in self._moving().items()}

    @torch.no_grad()
    def restore(self, state: Arrays) -> None:
        """Go back to what ``state`` gave; raises ValueError where it is of another optimizer."""
        for name, array in self.state().items():
            kept = state.get(name)
            if kept is None or (kept.dtype, kept.shape) != (array.dtype, array.shape):
                found = "missing" if kept is None else f"{kept.dtype} {kept.shape}"
                raise ValueError(f"{name} is {found}, must be {array.dtype} {array.shape}")
            if not torch.from_numpy(kept).isfinite().all():
                raise ValueError(f"{name} holds a number that is not finite")
        for name, tensor in self._moving().items():
            tensor.copy_(torch.from_numpy(state[name]))
        self._copy_out()

    def release(self) -> None:
        """Leave the network its float32 parameters, in its own layout."""
        for p, weight in zip(self.parameters, _views(self.master, self.parameters), strict=True):
            p.data, p.grad = weight.contiguous(), None

    def changes(self) -> list[Tensor]:
        """All that a step changes and that lasts."""
        return [*self._moving().values(), self.low]

    def _moving(self) -> dict[str, Tensor]:
        return {
            "weights": self.master,
            "mean": self.mean,
            "square": self.square,
            "steps": self.steps,
        }

    def _copy_out(self) -> None:
        if self.low.dtype != self.master.dtype:
            self.low.copy_(self.master[: self.convolutions])


def orthogonalizers(matrices: Tensor) -> Tensor:
    """Symmetric [N, R, R] that take matrices U S Vᵀ, [N, R, C], nearly to U Vᵀ.

    By Newton-Schulz iteration on the products of the matrices with their transposes, which are
    small where R is: the matrices themselves are read only twice.
    """
    gram = matrices @ matrices.mT
    norm = gram.diagonal(dim1=1, dim2=2).sum(1).sqrt_().mul_(1.01).clamp_min_(1e-12)[:, None, None]
    gram.div_(norm.square())
    total = p = None
    for a, b, c in POLAR_EXPRESS:
        if p is not None:
            gram = p.bmm(gram).bmm(p)
        p = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        p.diagonal(dim1=1, dim2=2).add_(a)
        total = p if total is None else total.bmm(p)
    assert total is not None
    return total.div_(norm)


def _shape(weight: Tensor) -> tuple[int, int]:
    """Of the matrix that a kernel is."""
    return len(weight), weight[0].numel()


def _pace(layer: nn.Module) -> float:
    """Factor on Muon's steps of a layer, beside the root of its matrix's larger side."""
    # 0.2 gives entries the size of Adam's steps (Liu et al. 2025). Convolutions learn faster at
    # more; at a decoder's pace an encoder loses units and ends higher.
    return {nn.Conv2d: 0.3, nn.ConvTranspose2d: 0.6}.get(type(layer), 0.2)


def _flat(parameter: Tensor) -> Tensor:
    return (parameter.permute(0, 2, 3, 1) if parameter.ndim == 4 else parameter).reshape(-1)


def _views(flat: Tensor, parameters: Sequence[Tensor]) -> Iterator[Tensor]:
    """Parts of a vector in the shapes of parameters, laid out as ``_flat`` lays them."""
    for part, p in zip(flat.split([p.numel() for p in parameters]), parameters, strict=True):
        if p.ndim == 4:
            o, i, h, w = p.shape
            yield part.view(o, h, w, i).permute(0, 3, 1, 2)
        else:
            yield part.view(p.shape)
