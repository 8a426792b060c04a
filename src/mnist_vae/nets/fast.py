"""The network's layers, the convolutions each in the form that is computed fastest.

Feature maps are [B, C, H, W] laid out channels last, as libraries of convolutions want them. All
strides are 2, all kernels 3 x 3 with padding 1, but for those that cover the whole map. Functions
and parameters are exactly those of nn.Conv2d and nn.ConvTranspose2d; what differs is how they are
computed:

- Kernels that cover the whole map are matrix products in disguise.
- Images have few channels, so several pixels of a row together make a product of useful size: two,
  or the whole row in bfloat16 on a processor, where products cost less than copies.
- The convolutions between are the library's own. In bfloat16 on a processor its transposed ones
  take four times as long as the others: there they are convolutions of stride 1, and gradients of
  kernels are products.

Layers to and from latents are linear, and never computed in less than float32.

With ``relu=True`` a ReLU follows in the same memory: what ImageConv2d and GridConvTranspose2d
return is a view, which autograd would copy for an in-place ReLU after them.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


class ImageConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 and padding 1 of images with few channels."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], H even and W a multiple of 4, to [B, out, H/2, W/2]."""
        assert self.bias is not None
        run = x.shape[3] // 2 if _is_cpu_bfloat16(x) else 2
        kernel = torch.cat((self.weight.flatten(1), self.bias[:, None]), 1)
        y = F.linear(_unfold(x, run), _widen(kernel, self.in_channels, run))
        y = y.relu_() if self.relu else y
        return y.unflatten(3, (run, -1)).flatten(2, 3).permute(0, 3, 1, 2)


class ImageConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of ImageConv2d."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, in, H, W], W even, to [B, out, 2H, 2W]."""
        assert self.bias is not None
        run = x.shape[3] if _is_cpu_bfloat16(x) else 2
        runs = x.permute(0, 2, 3, 1).unflatten(2, (-1, run)).flatten(3)
        windows = runs @ _widen(self.weight.flatten(1), self.out_channels, run)
        return _Fold.apply(windows, self.bias, run)


class StridedConv2d(nn.Conv2d):
    """A 3 x 3 convolution of stride 2 and padding 1."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], H and W even, to [B, out, H/2, W/2]."""
        y = _Down.apply(x, self.weight, self.bias) if _is_cpu_bfloat16(x) else super().forward(x)
        return y.relu_() if self.relu else y


class StridedConvTranspose2d(nn.ConvTranspose2d):
    """The transpose of StridedConv2d."""

    def __init__(self, inputs: int, outputs: int, *, relu: bool = False) -> None:
        super().__init__(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
        self.relu = relu

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map [B, in, H, W] to [B, out, 2H, 2W]."""
        y = _Up.apply(x, self.weight, self.bias) if _is_cpu_bfloat16(x) else super().forward(x)
        return y.relu_() if self.relu else y


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
        y = torch.addmm(bias, x.to(kernel.dtype), kernel.flatten(1))  # latents come in float32
        y = y.relu_() if self.relu else y
        return y.unflatten(1, kernel.shape[1:]).permute(0, 3, 1, 2)


class LatentLinear(nn.Linear):
    """A linear layer to or from latents, computed in float32 at least.

    Posteriors can be as narrow as 0.002, where bfloat16's numbers above 2 are 0.016 apart.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map [B, in] to [B, out]."""
        dtype = torch.promote_types(self.weight.dtype, torch.float32)
        return F.linear(input.to(dtype), self.weight.to(dtype), self.bias.to(dtype))


def _is_cpu_bfloat16(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16 and x.device.type == "cpu"


def _widen(kernel: Tensor, channels: int, run: int) -> Tensor:
    """Weights [A, 9 C], perhaps with a bias, as the matrix of a run of pixels and their window.

    It is [run A, 3 C (2 run + 1) + 1].
    """
    matrix = kernel @ _layout(channels, run, kernel.dtype, kernel.device)[: kernel.shape[1]]
    return matrix.unflatten(1, (run, -1)).transpose(0, 1).flatten(0, 1)


@functools.cache
@torch.inference_mode(False)
def _layout(channels: int, run: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Where each of 9 C weights and a bias goes in _widen's matrix, of ones and zeros.

    It is [9 C + 1, run (3 C (2 run + 1) + 1)].
    """
    size = 9 * channels
    # A pixel of the run sees three columns of the window, the next one those two further on.
    weights = torch.eye(size).view(size, channels, 3, 3)
    each = F.pad(weights, (2 * run - 2, 2 * run - 2)).unfold(3, 2 * run + 1, 2).flip(3)
    layout = torch.zeros(size + 1, run, 3 * channels * (2 * run + 1) + 1)
    layout[:-1, :, :-1] = each.permute(0, 3, 1, 2, 4).flatten(2)
    layout[-1, :, -1] = 1
    return layout.flatten(1).to(device, dtype)


def _unfold(images: Tensor, run: int) -> Tensor:
    """Windows [B, H/2, W/2/run, 3 C (2 run + 1) + 1] of images [B, C, H, W].

    Each is what a run of pixels of half the size looks at, the first one pixel outside the image.
    The last number is a 1, for the bias: with it 16 are read for two pixels of an image with one
    channel, and products with matrices of 15 columns take three times as long.
    """
    windows = F.pad(images, (1, 0, 1, 0)).unfold(2, 3, 2).unfold(3, 2 * run + 1, 2 * run)
    windows = windows.permute(0, 2, 3, 1, 4, 5)
    numbers = windows.new_ones(*windows.shape[:3], math.prod(windows.shape[3:]) + 1)
    numbers[..., :-1].unflatten(3, windows.shape[3:]).copy_(windows)
    return numbers


class _Fold(torch.autograd.Function):
    """The transpose of ``_unfold``: images as sums of windows, where they overlap, plus a bias."""

    @staticmethod
    def forward(ctx: Any, windows: Tensor, bias: Tensor, run: int) -> Tensor:
        ctx.run = run
        windows = windows[..., :-1].unflatten(3, (-1, 3, 2 * run + 1))
        b, h, w, c = windows.shape[:4]
        images = windows.new_empty(b, c, 2 * h, 2 * run * w)
        blocks = images.view(b, c, h, 2, w, 2 * run).permute(0, 2, 4, 1, 3, 5)
        blocks.copy_(windows[..., 1:, 1:]).add_(bias[:, None, None])
        # A window's first row and column lie in the blocks above and before it.
        blocks[:, :-1, ..., -1, :] += windows[:, 1:, ..., 0, 1:]
        blocks[:, :, :-1, ..., -1] += windows[:, :, 1:, ..., 1:, 0]
        blocks[:, :-1, :-1, :, -1, -1] += windows[:, 1:, 1:, :, 0, 0]
        return images

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        # Its last numbers should be 0, not 1: without a bias _widen's column for them is 0.
        return _unfold(grad, ctx.run), grad.sum((0, 2, 3)), None


class _Down(torch.autograd.Function):
    """A convolution of maps [B, C, H, W] with a kernel [A, C, 3, 3] and a bias [A]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernel)
        return F.conv2d(x, kernel, bias, stride=2, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, kernel = ctx.saved_tensors
        return _spread(grad, kernel), _kernel_gradient(grad, x), grad.sum((0, 2, 3))


class _Up(torch.autograd.Function):
    """The transpose of _Down, of maps [B, A, H, W] to [B, C, 2 H, 2 W], plus a bias [C]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernel)
        return _spread(x, kernel, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, kernel = ctx.saved_tensors
        back = F.conv2d(grad, kernel, stride=2, padding=1)
        return back, _kernel_gradient(x, grad), grad.sum((0, 2, 3))


def _kernel_gradient(small: Tensor, large: Tensor) -> Tensor:
    """The gradient [A, C, 3, 3] of a kernel between maps [B, A, H, W] and [B, C, 2 H, 2 W].

    One is what the layer was given, the other the gradient of what it returned.
    """
    near = F.pad(large.permute(0, 2, 3, 1), (0, 0, 1, 0, 1, 0)).unfold(1, 3, 2).unfold(2, 3, 2)
    near = near.permute(0, 1, 2, 4, 5, 3).flatten(3).flatten(0, 2)  # [B H W, 3 x 3 x C]
    product = (near.T @ small.permute(0, 2, 3, 1).flatten(0, 2)).T
    return product.unflatten(1, (3, 3, -1)).permute(0, 3, 1, 2)


def _spread(x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """The transposed convolution, [B, C, 2 H, 2 W], as one of stride 1 that gives 2 x 2 blocks."""
    # A block's first row depends on its own row of x through row 1 of the kernel, on the next one
    # not at all (through zeros); its second row on them through rows 2 and 0. Columns likewise.
    taps = F.pad(kernel, (1, 0, 1, 0)).unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4)
    taps = taps.permute(3, 5, 1, 0, 2, 4).flatten(0, 2)  # [2 x 2 x C, A, 2, 2]
    taps = taps.contiguous(memory_format=torch.channels_last)
    bias = None if bias is None else bias.repeat(4)
    blocks = F.conv2d(F.pad(x, (0, 1, 0, 1)), taps, bias).permute(0, 2, 3, 1)
    (b, h, w, _), c = blocks.shape, kernel.shape[1]
    # Allocated so, and no view: autograd would refuse a ReLU in the memory of one.
    last = torch.channels_last
    y = torch.empty(b, c, 2 * h, 2 * w, dtype=x.dtype, device=x.device, memory_format=last)
    cells = y.permute(0, 2, 3, 1).view(b, h, 2, w, 2, c)
    cells.copy_(blocks.unflatten(3, (2, 2, c)).transpose(2, 3))
    return y
