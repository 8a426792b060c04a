"""Adam and Muon over the parameters of a model as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from mnist_vae.artifacts import Arrays
from mnist_vae.layers import GridConv2d, GridConvTranspose2d

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
    the gradient hardly shows are learned too. It takes the two kernels as large as the grid, 94% of
    the parameters at MNIST's sizes; what else there is moves by Adam.

    The model's parameters and gradients become views of vectors in ``dtype``. Where that is less
    than float32, the vector that moves stays float32 and is copied out after each step, so that
    steps smaller than the rounding are not lost. Kernels of convolutions lie channels last, as the
    layers read them. torch.optim's Adam computes the same, but imports a compiler first, which
    takes as long as an epoch.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype, *, beta2: float, muon: bool) -> None:
        self.parameters = list(model.parameters())
        self.master = torch.cat([_flat(p.detach()).float() for p in self.parameters])
        self.weights = self.master if dtype == torch.float32 else self.master.to(dtype)
        self.grads = torch.zeros_like(self.weights)
        self.mean, self.square = torch.zeros_like(self.master), torch.zeros_like(self.master)
        self.steps, self.beta1, self.beta2, self.eps = 0, 0.9, beta2, 1e-8
        views = zip(
            self.parameters, self._views(self.weights), self._views(self.grads), strict=True
        )
        for p, weight, grad in views:
            p.data, p.grad = weight, grad
        grid = (GridConv2d, GridConvTranspose2d)
        large = {id(layer.weight) for layer in model.modules() if isinstance(layer, grid)}
        self.matrices: list[tuple[slice, int]] = []  # where each lies, and its rows
        end = 0
        for p in self.parameters:
            start, end = end, end + p.numel()
            if muon and id(p) in large:
                self.matrices.append((slice(start, end), len(p)))

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.grads.zero_()

    @torch.no_grad()
    def step(self, rate: float, scale: float) -> None:
        """Move at a learning rate, with the gradients times ``scale``."""
        self.steps += 1
        grad = self.grads.float() * scale
        self.mean.lerp_(grad, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        unbiased = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        spread = (self.square / unbiased[1]).sqrt_().add_(self.eps)
        move = (self.mean / unbiased[0]).div_(spread)
        for part, rows in self.matrices:
            ahead = grad[part].lerp(self.mean[part], self.beta1).view(rows, -1)  # Nesterov's
            # 0.2·√(larger side) gives entries the size of Adam's steps; twice that was tuned.
            size = 0.4 * math.sqrt(max(ahead.shape))
            move[part] = orthogonalized(ahead).flatten() * size
        self.master.sub_(move, alpha=rate)
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


def orthogonalized(matrix: Tensor) -> Tensor:
    """Nearly U Vᵀ of a matrix U S Vᵀ, by Newton-Schulz iteration.

    The polynomials act on the small product of the matrix with its transpose, so that the matrix
    itself is read only twice.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.t()).t()
    x = matrix / (1.01 * matrix.norm() + 1e-20)
    gram, eye = x @ x.t(), torch.eye(len(x), device=x.device)
    total = eye
    for a, b, c in POLAR_EXPRESS:
        p = a * eye + b * gram + c * (gram @ gram)
        total, gram = p @ total, p @ gram @ p
    return total @ x


def _flat(parameter: Tensor) -> Tensor:
    return (parameter.permute(0, 2, 3, 1) if parameter.ndim == 4 else parameter).reshape(-1)
