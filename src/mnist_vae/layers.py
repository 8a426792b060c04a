"""The network's convolutions as the dense products that they are on a grid of cells.

An image of H x W pixels is laid out as a grid of G x G cells of 4 x 4 pixels, [B, G, G, K], where K
runs over a cell's pixels row by row and their channels. After the first strided convolution the
same cell is 2 x 2 pixels, after the second it is one. A 3 x 3 convolution of stride 2 and padding 1
(``down``) then reads, for each cell, the pixels of that cell and the last ones of the cells before
it (above, left, above left): it is one product of a tall matrix of neighbourhoods with a small one
that holds the kernel. Its transpose (``up``) is a transposed convolution of 2 x 2 cells and stride
1, and each is the other's gradient. Both are what processors do fastest, wide and dense; the
functions and parameters are exactly those of nn.Conv2d and nn.ConvTranspose2d.

Layers with ``relu=True`` apply ReLU to their input, in the copy that they make of it anyway.
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

    def __init__(self, inputs: int, outputs: int, side: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)
        self.kernel, self.relu = _Kernel(outputs, inputs, side), relu

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, G, G, (2 side)² in] to [B, G, G, side² out]."""
        return _apply(_Conv, x, self.weight, self.bias, self.kernel, self.relu)


class CellConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of CellConv2d; ``side`` is that of a cell before it."""

    def __init__(self, inputs: int, outputs: int, side: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.kernel, self.relu = _Kernel(inputs, outputs, side), relu

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, G, G, side² in] to [B, G, G, (2 side)² out]."""
        return _apply(_ConvTranspose, x, self.weight, self.bias, self.kernel, self.relu)


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


class _Kernel(nn.Module):
    """How a 3 x 3 kernel [S, L, 3, 3] joins large cells to small ones.

    Small cells have s x s pixels of S channels, large ones 2s x 2s pixels of L channels.
    """

    def __init__(self, small: int, large: int, side: int) -> None:
        super().__init__()
        self.small, self.large, self.side = small, large, side
        where = _places(small, large, side).flatten()
        taken = where.argsort(stable=True)[: 9 * large * small * side**2]
        self.register_buffer("where", where, persistent=False)
        self.register_buffer("taken", taken.view(-1, side**2).t().flatten(), persistent=False)

    where: Tensor
    taken: Tensor

    def down(self, around: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Small cells [N, s²S] from what ``around`` gives, [N, K]."""
        kernel = self._flat(weight) if self.side == 1 else self._cells(weight).flatten(1)
        if bias is None:
            return around @ kernel.t()
        return torch.addmm(bias.repeat(self.side**2), around, kernel.t())

    def up(self, small: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Large cells [B, G, G, 4s²L] from small ones [B, G, G, s²S]."""
        kernel = self._cells(weight).permute(0, 3, 1, 2)
        bias = None if bias is None else bias.repeat(4 * self.side**2)
        large = F.conv_transpose2d(small.permute(0, 3, 1, 2), kernel, bias)
        return large[:, :, 1:, 1:].permute(0, 2, 3, 1)  # nothing lies before the first cells

    def around(self, x: Tensor, *, relu: bool) -> Tensor:
        """What ``down`` reads for each cell of [B, G, G, 4s²L]: [B·G·G, K], 0 outside the grid."""
        b, g, f, k = x.shape
        if self.side > 1:  # beside each cell the three before it
            padded = x.new_empty(b, g + 1, f + 1, k)
            inner, rows, columns, step = padded[:, 1:, 1:], 2, 2 * k, 1
        else:
            # The nine pixels themselves: fewer than four whole cells have, in the kernel's order.
            padded = x.new_empty(b, 2 * g + 1, 2 * f + 1, self.large)
            inner = padded[:, 1:, 1:].unflatten(2, (f, 2)).unflatten(1, (g, 2)).transpose(2, 3)
            x, rows, columns, step = x.reshape(inner.shape), 3, 3 * self.large, 2
        padded[:, 0], padded[:, :, 0] = 0, 0
        if relu:
            torch.clamp_min(x, 0, out=inner)
        else:
            inner.copy_(x)
        n, row, column, _ = padded.stride()
        stride = (n, step * row, step * column, row, 1)
        near = padded.as_strided((b, g, f, rows, columns), stride)
        return near.reshape(b * g * f, rows * columns)

    def gradient(self, small: Tensor, around: Tensor) -> Tensor:
        """The kernel's gradient [S, L, 3, 3] from small cells [N, s²S] and ``around`` [N, K]."""
        # A product over very many rows, in parts so that every core has one.
        parts = math.gcd(4, len(small)) or 1
        y, x = small.unflatten(0, (parts, -1)), around.unflatten(0, (parts, -1))
        both = torch.bmm(y.transpose(1, 2), x).sum(0)
        if self.side > 1:  # a tap stands there once for each pixel of a small cell
            both = both.flatten().index_select(0, self.taken).view(self.side**2, -1).sum(0)
        return both.view(self.small, 3, 3, self.large).permute(0, 3, 1, 2)

    def _flat(self, weight: Tensor) -> Tensor:
        return weight.permute(0, 2, 3, 1).reshape(self.small, -1)

    def _cells(self, weight: Tensor) -> Tensor:
        """The kernel as one of 2 x 2 cells: [s²S, 2, 2, 4s²L]."""
        # One more entry, zero, for the places that no tap joins.
        taps = F.pad(self._flat(weight).flatten(), (0, 1))
        return taps.index_select(0, self.where).view(self.small * self.side**2, 2, 2, -1)


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernel: _Kernel, relu: bool
    ) -> Tensor:
        around = kernel.around(x, relu=relu)
        ctx.save_for_backward(x, weight, around)
        ctx.kernel, ctx.relu = kernel, relu
        return kernel.down(around, weight, bias).unflatten(0, x.shape[:3])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, around = ctx.saved_tensors
        into_x = None
        if ctx.needs_input_grad[0]:
            into_x = _masked(ctx.kernel.up(grad, weight), x, relu=ctx.relu)
        into_weight = ctx.kernel.gradient(grad.flatten(0, 2), around)
        return into_x, into_weight, _sum(grad, weight.shape[0]), None, None


class _ConvTranspose(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, kernel: _Kernel, relu: bool
    ) -> Tensor:
        small = x.clamp_min(0) if relu else x
        ctx.save_for_backward(small, weight)
        ctx.kernel, ctx.relu = kernel, relu
        return kernel.up(small, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        small, weight = ctx.saved_tensors
        around = ctx.kernel.around(grad, relu=False)
        into_x = _masked(ctx.kernel.down(around, weight).view(small.shape), small, relu=ctx.relu)
        into_weight = ctx.kernel.gradient(small.flatten(0, 2), around)
        return into_x, into_weight, _sum(grad, weight.shape[1]), None, None


def _apply(function: type[torch.autograd.Function], *inputs: Any) -> Tensor:
    return function.apply(*inputs)


def _masked(grad: Tensor, x: Tensor, *, relu: bool) -> Tensor:
    """The gradient before ReLU from the one after it; ``x`` is what went in, or what came out."""
    return torch.ops.aten.threshold_backward(grad, x, 0) if relu else grad


def _sum(y: Tensor, channels: int) -> Tensor:
    """Sums [channels] of [B, G, G, K]; over the images first, whose rows are long."""
    return y.flatten(1).sum(0).view(-1, channels).sum(0)


def _places(small: int, large: int, side: int) -> Tensor:
    """Which entry of a kernel, channels last, joins what: [s²S, 2, 2, 4s²L].

    By the pixel and channel of a small cell, the large cell out of a neighbourhood of 2 x 2, and
    the pixel and channel in it. 9·S·L, one beyond the kernel's last entry, where none does.
    """
    none = 9 * small * large
    places = torch.full((side, side, small, 2, 2, 2 * side, 2 * side, large), none)
    entry = torch.arange(none).view(small, 3, 3, large)
    for row, column, k, j in itertools.product(range(side), range(side), range(3), range(3)):
        y, x = 2 * row + k - 1, 2 * column + j - 1  # -1 lies in the cell before
        cell = int(y >= 0), int(x >= 0)
        places[row, column, :, *cell, y % (2 * side), x % (2 * side)] = entry[:, k, j]
    return places.view(side**2 * small, 2, 2, 4 * side**2 * large)
