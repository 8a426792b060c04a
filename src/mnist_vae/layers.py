"""The network's convolutions, each in the form that is computed fastest.

Feature maps are [B, C, H, W] laid out channels last, as libraries of convolutions want them, and
the convolutions between them are the libraries' own. At the two ends of the network they are matrix
products in disguise: the 7 x 7 kernels cover the whole map, and images have so few channels that
two pixels of a row together make a product of useful size. Functions and parameters are exactly
those of nn.Conv2d and nn.ConvTranspose2d. With ``relu=True`` a ReLU follows in the same memory:
what these layers return is a view, which autograd would copy for an in-place ReLU after them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

WINDOW = 3, 5  # rows and columns of an image that two pixels of half its size look at
STRIDE = 2, 4  # from one such window to the next


class PairConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 and padding 1 of images with few channels."""

    layout: Tensor

    def __init__(self, inputs: int, outputs: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)
        self.register_buffer("layout", _layout(inputs), persistent=False)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], H even and W a multiple of 4, to [B, out, H/2, W/2]."""
        assert self.bias is not None
        kernel = torch.cat((self.weight.flatten(1), self.bias[:, None]), 1)
        y = F.linear(_unfold(x), _pair(kernel, self.layout))
        y = y.relu_() if self.relu else y
        return y.unflatten(3, (2, -1)).flatten(2, 3).permute(0, 3, 1, 2)


class PairConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of PairConv2d."""

    layout: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.register_buffer("layout", _layout(outputs), persistent=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, in, H, W], W even, to [B, out, 2H, 2W]."""
        assert self.bias is not None
        pairs = x.permute(0, 2, 3, 1).unflatten(2, (-1, 2)).flatten(3)
        return _fold(pairs @ _pair(self.weight.flatten(1), self.layout[:-1]), self.bias)


class GridConv2d(nn.Conv2d):
    """A convolution whose kernel covers the whole map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, G, G] to [B, out]."""
        weight = self.weight.permute(0, 2, 3, 1).flatten(1)
        return F.linear(x.permute(0, 2, 3, 1).flatten(1), weight, self.bias)


class GridConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of GridConv2d."""

    def __init__(self, inputs: int, outputs: int, grid: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, grid)
        self.relu = relu

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, in] to [B, out, G, G]."""
        assert self.bias is not None
        kernel = self.weight.permute(0, 2, 3, 1)  # [in, G, G, out]
        bias = self.bias.repeat(math.prod(self.kernel_size))
        y = torch.addmm(bias, x, kernel.flatten(1))
        y = y.relu_() if self.relu else y
        return y.unflatten(1, kernel.shape[1:]).permute(0, 3, 1, 2)


def _layout(channels: int) -> Tensor:
    """Where each of 9 C weights and a bias goes in _pair's matrix: [9 C + 1, 2 (15 C + 1)]."""
    size = 9 * channels
    # The second pixel of a pair sees columns 2 to 4 of its window, the first one 0 to 2.
    weights = torch.eye(size).view(size, channels, 3, 3)
    both = F.pad(weights, (2, 2)).unfold(3, WINDOW[1], 2).flip(3)  # [9 C, C, 3, 2, 5]
    layout = torch.zeros(size + 1, 2, 15 * channels + 1)
    layout[:-1, :, :-1] = both.permute(0, 3, 1, 2, 4).flatten(2)
    layout[-1, :, -1] = 1
    return layout.flatten(1)


def _pair(kernel: Tensor, layout: Tensor) -> Tensor:
    """Weights [A, 9 C], perhaps with a bias, as the matrix [2 A, 15 C + 1] of a pair of pixels."""
    matrix = kernel @ layout.to(kernel.dtype)
    return matrix.unflatten(1, (2, -1)).transpose(0, 1).flatten(0, 1)


def _unfold(images: Tensor) -> Tensor:
    """Windows [B, H/2, W/4, 15 C + 1] of images [B, C, H, W], the first one pixel outside them.

    The last number is a 1, for the bias: with it 16 are read of an image with one channel, and
    products with matrices of 15 columns take three times as long.
    """
    windows = F.pad(images, (1, 0, 1, 0)).unfold(2, WINDOW[0], STRIDE[0])
    windows = windows.unfold(3, WINDOW[1], STRIDE[1]).permute(0, 2, 3, 1, 4, 5)
    numbers = windows.new_ones(*windows.shape[:3], math.prod(windows.shape[3:]) + 1)
    numbers[..., :-1].unflatten(3, windows.shape[3:]).copy_(windows)
    return numbers


def _fold(windows: Tensor, bias: Tensor) -> Tensor:
    """The transpose of ``_unfold``: images as sums of windows, where they overlap, plus a bias."""
    return _Fold.apply(windows, bias)


class _Fold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, windows: Tensor, bias: Tensor) -> Tensor:
        windows = windows[..., :-1].unflatten(3, (-1, *WINDOW))
        b, h, w, c = windows.shape[:4]
        images = windows.new_empty(b, c, STRIDE[0] * h, STRIDE[1] * w)
        blocks = images.view(b, c, h, STRIDE[0], w, STRIDE[1]).permute(0, 2, 4, 1, 3, 5)
        blocks.copy_(windows[..., 1:, 1:]).add_(bias[:, None, None])
        # A window's first row and column lie in the blocks above and before it.
        blocks[:, :-1, ..., -1, :] += windows[:, 1:, ..., 0, 1:]
        blocks[:, :, :-1, ..., -1] += windows[:, :, 1:, ..., 1:, 0]
        blocks[:, :-1, :-1, :, -1, -1] += windows[:, 1:, 1:, :, 0, 0]
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return _unfold(grad), grad.sum((0, 2, 3))
