"""Adam and Muon over the parameters of a model as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.files.store import Arrays
from mnist_vae.nets.fast import GridConv2d, GridConvTranspose2d

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
    the gradient hardly shows are learned too. It takes the kernels as large as the grid: in a VAE
    two, which hold 94% of the parameters at MNIST's sizes. What else there is moves by Adam.

    The model's parameters become views of a vector in ``dtype``. Where that is less than float32,
    the vector that moves stays float32 and is copied out after each step, so that steps smaller
    than the rounding are not lost. Kernels of convolutions lie channels last, as the layers read
    them. torch.optim's Adam computes the same, but imports a compiler first, which takes as long as
    an epoch.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype, *, beta2: float, muon: bool) -> None:
        grid = (GridConv2d, GridConvTranspose2d)
        large = [m for m in model.modules() if muon and isinstance(m, grid)]
        kernels = {id(m.weight) for m in large}
        # What Muon moves comes first in the vectors: there it is one stack of matrices.
        self.parameters = sorted(model.parameters(), key=lambda p: id(p) not in kernels)
        self.master = torch.cat([_flat(p.detach()).float() for p in self.parameters])
        self.weights = self.master if dtype == torch.float32 else self.master.to(dtype)
        self.grads = torch.empty_like(self.weights)
        self.stack = len(large), len(self.parameters[0]), -1
        # 0.2·√(larger side) gives entries the size of Adam's steps (Liu et al. 2025). Here both
        # learn faster at more; at a decoder's pace an encoder loses units and ends higher.
        pace = [0.3 if isinstance(m, GridConv2d) else 0.6 for m in large]
        self.pace = torch.tensor(pace, device=self.master.device)[:, None, None]
        self.start = sum(p.numel() for p in self.parameters[: len(large)])  # of what Adam moves
        self.mean = torch.zeros_like(self.master)
        self.square = torch.zeros_like(self.master[self.start :])
        self.steps, self.beta1, self.beta2, self.eps = 0, 0.9, beta2, 1e-8
        for p, weight in zip(self.parameters, self._views(self.weights), strict=True):
            p.data = weight

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters:
            p.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move at a learning rate; every parameter must have a gradient."""
        self.steps += 1
        flat = [_flat(p.grad) for p in self.parameters if p.grad is not None]
        grad = torch.cat(flat, out=self.grads).float()
        self.mean.lerp_(grad, 1 - self.beta1)
        if self.start:
            ahead = grad[: self.start].lerp(self.mean[: self.start], self.beta1)  # Nesterov's
            ahead = ahead.view(self.stack)
            turns = orthogonalizers(ahead).mul_(self.pace)
            weights = self.master[: self.start].view(self.stack)
            weights.baddbmm_(turns, ahead, alpha=-rate * math.sqrt(max(ahead.shape[1:])))
        grad, mean = grad[self.start :], self.mean[self.start :]
        self.square.lerp_(grad.square(), 1 - self.beta2)
        unbiased = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        spread = (self.square / unbiased[1]).sqrt_().add_(self.eps)
        self.master[self.start :].addcdiv_(mean, spread, value=-rate / unbiased[0])
        if self.weights is not self.master:
            self.weights.copy_(self.master)

    def state(self) -> Arrays:
        """All that the next step depends on."""
        moving = {"weights": self.master, "mean": self.mean, "square": self.square}
        arrays = {name: tensor.cpu().numpy() for name, tensor in moving.items()}
        return {**arrays, "steps": np.array(self.steps)}

    def restore(self, state: Arrays) -> None:
        """Go back to what ``state`` gave."""
        self.master.copy_(torch.from_numpy(state["weights"]))
        self.mean.copy_(torch.from_numpy(state["mean"]))
        self.square.copy_(torch.from_numpy(state["square"]))
        self.steps = int(state["steps"])
        if self.weights is not self.master:
            self.weights.copy_(self.master)

    def release(self) -> None:
        """Leave the model its float32 parameters, in its own layout."""
        for p, weight in zip(self.parameters, self._views(self.master), strict=True):
            p.data, p.grad = weight.contiguous(), None

    def _views(self, flat: Tensor) -> Iterator[Tensor]:
        for part, p in zip(
            flat.split([p.numel() for p in self.parameters]), self.parameters, strict=True
        ):
            if p.ndim == 4:
                o, i, h, w = p.shape
                yield part.view(o, h, w, i).permute(0, 3, 1, 2)
            else:
                yield part.view(p.shape)


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


def _flat(parameter: Tensor) -> Tensor:
    return (parameter.permute(0, 2, 3, 1) if parameter.ndim == 4 else parameter).reshape(-1)
