"""The network's convolutions as the matrix products that they are on a grid of cells.

An image of H x W pixels is laid out as a grid of H/4 x W/4 cells, [B, G, G, K], where K runs over
the cell's pixels row by row and their channels. A cell is 4 x 4 pixels; after the first strided
convolution the same cell is 2 x 2 pixels, after the second it is one. So a 3 x 3 convolution of
stride 2 and padding 1 reads, for each cell, that cell and the ones before it (above, left, above
left), and its transpose the cell and the ones after it: one product each, of a tall matrix of 2 x 2
neighbourhoods with a small one that holds the kernel. Such products are what processors do fastest;
the functions and parameters are exactly those of nn.Conv2d and nn.ConvTranspose2d.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

CELL = 4  # pixels on the side of a cell: two strides of 2


def to_cells(images: Tensor) -> Tensor:
    """Lay out images [B, C, H, W] as cells [B, H/4, W/4, 16 C]."""
    b, c, h, w = images.shape
    cells = images.reshape(b, c, h // CELL, CELL, w // CELL, CELL).permute(0, 2, 4, 3, 5, 1)
    return cells.reshape(b, h // CELL, w // CELL, CELL * CELL * c)


def from_cells(cells: Tensor) -> Tensor:
    """Images [B, C, H, W] of cells [B, H/4, W/4, 16 C]."""
    b, g, f, k = cells.shape
    c = k // CELL**2
    images = cells.reshape(b, g, f, CELL, CELL, c).permute(0, 5, 1, 3, 2, 4)
    return images.reshape(b, c, g * CELL, f * CELL)


class CellConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 and padding 1, from cells to cells.

    ``side`` is the number of pixels on the side of a cell after it.
    """

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)
        self.side = side
        self.register_buffer("taps", _taps(side), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, G, G, (2 side)² in] to [B, G, G, side² out]."""
        assert self.bias is not None
        return _apply(_Down, x, _matrix(self.weight, self.taps), self.bias.repeat(self.side**2))


class CellConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of CellConv2d; ``side`` is that of a cell before it."""

    taps: Tensor

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.side = side
        self.register_buffer("taps", _taps(side), persistent=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, G, G, side² in] to [B, G, G, (2 side)² out]."""
        assert self.bias is not None
        bias = self.bias.repeat(4 * self.side**2)
        return _apply(_Up, x, _matrix(self.weight, self.taps), bias)


class GridConv2d(nn.Conv2d):
    """A convolution whose kernel covers the whole grid: [B, G, G, in] to [B, out]."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, G, G, in] to [B, out]."""
        return F.linear(x.flatten(1), self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)


class GridConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of GridConv2d: [B, in] to [B, G, G, out]."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, in] to [B, G, G, out]."""
        assert self.bias is not None
        kernel = self.weight.permute(0, 2, 3, 1)  # [in, G, G, out]
        bias = self.bias.repeat(kernel[0, :, :, 0].numel())
        return torch.addmm(bias, x, kernel.flatten(1)).unflatten(1, kernel.shape[1:])


class _Down(torch.autograd.Function):
    """Each cell of the output from the cell of the input and those before it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        near = _neighbours(x, before=True)
        ctx.save_for_backward(near, matrix)
        return F.linear(near, matrix, bias).view(*x.shape[:3], len(matrix))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:
        near, matrix = ctx.saved_tensors
        width = matrix.shape[1] // 4
        into_x = None
        if ctx.needs_input_grad[0]:
            into_x = (_neighbours(grad, before=False) @ _mirrored(matrix)).view(
                *grad.shape[:3], width
            )
        return into_x, _product(grad.reshape(-1, len(matrix)), near), _sum(grad)


class _Up(torch.autograd.Function):
    """The transpose: what _Down does backward, forward; and the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, matrix)
        near = _neighbours(x, before=False)
        return torch.addmm(bias, near, _mirrored(matrix)).view(*x.shape[:3], matrix.shape[1] // 4)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, matrix = ctx.saved_tensors
        near = _neighbours(grad, before=True)
        return (
            (near @ matrix.t()).view_as(x),
            _product(x.reshape(-1, len(matrix)), near),
            _sum(grad),
        )


def _apply(function: type[torch.autograd.Function], *inputs: Tensor) -> Tensor:
    return function.apply(*inputs)


def _neighbours(x: Tensor, *, before: bool) -> Tensor:
    """Beside each cell of [B, G, G, K] the ones before it, or after it: [B·G·G, 4 K], 0 outside."""
    b, g, f, k = x.shape
    padded = F.pad(x, (0, 0, 1, 0, 1, 0) if before else (0, 0, 0, 1, 0, 1))
    strides = padded.stride()
    near = padded.as_strided((b, g, f, 2, 2 * k), (*strides[:3], strides[1], 1))
    return near.reshape(b * g * f, 4 * k)


def _mirrored(matrix: Tensor) -> Tensor:
    """The transpose's matrix [4 O, K] of a matrix [O, 4 K]: neighbours stand in reverse order."""
    blocks = matrix.view(len(matrix), 2, 2, -1).flip(1, 2)
    return blocks.permute(1, 2, 0, 3).reshape(4 * len(matrix), -1)


def _product(y: Tensor, x: Tensor) -> Tensor:
    """Yᵀ X over very many rows, in parts so that every core has one."""
    parts = math.gcd(4, len(y)) or 1
    both = torch.bmm(y.view(parts, -1, y.shape[1]).transpose(1, 2), x.view(parts, -1, x.shape[1]))
    return both.sum(0)


def _sum(y: Tensor) -> Tensor:
    """Column sums [K] of [B, G, G, K]; over the images first, whose rows are long."""
    return y.flatten(1).sum(0).view(-1, y.shape[-1]).sum(0)


def _taps(side: int) -> Tensor:
    """Which of the nine taps joins a pixel of a small cell to one of a large neighbourhood.

    [side, side, 2, 2, 2 side, 2 side]: the small cell's pixel, which cell of the neighbourhood and
    the pixel in it. 9 where none does.
    """
    taps = torch.full((side, side, 2, 2, 2 * side, 2 * side), 9)
    for row, column, k, j in itertools.product(range(side), range(side), range(3), range(3)):
        y, x = 2 * row + k - 1, 2 * column + j - 1  # -1 lies in the cell before
        taps[row, column, int(y >= 0), int(x >= 0), y % (2 * side), x % (2 * side)] = 3 * k + j
    return taps


def _matrix(kernel: Tensor, taps: Tensor) -> Tensor:
    """A kernel [O, C, 3, 3] as the matrix [side² O, 4 (2 side)² C] from neighbourhoods to cells."""
    padded = F.pad(kernel.flatten(2), (0, 1))  # tap 9 weighs nothing
    spread = padded.index_select(2, taps.flatten()).view(*kernel.shape[:2], *taps.shape)
    return spread.permute(2, 3, 0, 4, 5, 6, 7, 1).reshape(len(taps) ** 2 * len(kernel), -1)
