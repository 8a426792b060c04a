"""Forms of the network's convolutions that are computed faster.

``put_in`` puts them in the place of a network's plain layers. They compute the same functions with
the same parameters; tests compare them with the plain layers in float64. Feature maps are
[B, C, H, W] laid out channels last, as libraries of convolutions want them.

- Kernels that cover the whole map are matrix products in disguise.
- Images have few channels, so several pixels of a row together make a product of useful size: two,
  or the whole of a short row in bfloat16, where products cost less than copies.
- The convolutions between are the library's own. In bfloat16 its transposed ones take four times as
  long as the others: there they are convolutions of stride 1, and gradients of kernels are
  products.
- On CUDA all of them are products: there the library takes up to five times as long for so few
  channels, and half a second to start.

The ReLU after a convolution is computed in the same memory.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mnist_vae.nets import pyramid

LONGEST = 16  # pixels of half a row at a time: most of a longer run's matrix would be zeros


def place(network: nn.Module, device: torch.device, *, image_size: int) -> None:
    """Move a network to a device to compute in float32, in the forms that are fastest there.

    On CUDA those are the plain ones: without a graph a step costs what its launches cost.
    """
    network.to(device)
    if device.type == "cpu":
        put_in(network, image_size=image_size, dtype=torch.float32)


def put_in(
    network: nn.Module, *, image_size: int, dtype: torch.dtype, device: torch.device | None = None
) -> None:
    """Put in the forms in which a device learns faster, for convolutions in ``dtype``.

    The network keeps its parameters and their names; convolutions of other shapes than those of
    nets.vae stay as they are, and so do those of maps with an odd size, and all of them on MPS.
    bfloat16 has forms of its own; any other type gets those of float32. The device is the network's
    own unless ``device`` says otherwise.
    """
    device = device or next(network.parameters()).device
    if device.type not in ("cpu", "cuda"):
        return
    if not any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return
    half, products = dtype == torch.bfloat16, device.type == "cuda"
    run = _longest_run(image_size // 2) if half else 2
    grid = pyramid.sizes(image_size)[-1]
    for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        size = image_size  # of the map that the next strided convolution gets
        for i, layer in enumerate(layers):
            relu = i + 1 < len(layers) and isinstance(layers[i + 1], nn.ReLU)
            form: nn.Module
            covers, strided = _covers(layer, grid), _is_strided(layer)
            if strided and isinstance(layer, nn.Conv2d):
                strided, size = size % 2 == 0, (size + 1) // 2
            match layer:
                case nn.Conv2d() if covers:
                    form = GridConv2d(layer, relu)
                case nn.Conv2d(in_channels=1 | 2 | 3) if strided and i == 0:
                    form = ImageConv2d(layer, relu, run)
                case nn.Conv2d() if strided:
                    form = StridedConv2d(layer, relu, half, products)
                case nn.ConvTranspose2d() if covers:
                    form = GridConvTranspose2d(layer, relu)
                case nn.ConvTranspose2d(out_channels=1 | 2 | 3) if strided and i + 1 == len(layers):
                    form = ImageConvTranspose2d(layer, run)
                case nn.ConvTranspose2d() if strided:
                    form = StridedConvTranspose2d(layer, relu, half, products)
                case _:
                    continue
            layers[i] = form
            if relu:
                layers[i + 1] = nn.Identity()


def is_placed(network: nn.Module) -> bool:
    """Whether a network has its fast forms already."""
    return any(isinstance(module, _Form) for module in network.modules())


def _longest_run(width: int) -> int:
    """The longest run of pixels, up to ``LONGEST``, of which so many make a row."""
    return next(run for run in range(min(width, LONGEST), 0, -1) if width % run == 0)


def _covers(layer: nn.Module, grid: int) -> bool:
    """Whether a convolution's kernel is as large as the map that strides leave."""
    return _shape(layer) == ((grid, grid), (1, 1), (0, 0), (0, 0))


def _is_strided(layer: nn.Module) -> bool:
    """Whether a convolution halves a map, or a transposed one doubles it."""
    output_padding = (1, 1) if isinstance(layer, nn.ConvTranspose2d) else (0, 0)
    return _shape(layer) == ((3, 3), (2, 2), (1, 1), output_padding)


def _shape(layer: nn.Module) -> tuple[object, ...]:
    """Kernel, stride, padding and output padding; nothing where a form would compute otherwise."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) or layer.bias is None:
        return ()
    if layer.dilation != (1, 1) or layer.groups != 1 or layer.padding_mode != "zeros":
        return ()
    return layer.kernel_size, layer.stride, layer.padding, layer.output_padding


class _Form(nn.Module):
    """Another form of a convolution: its parameters, and whether a ReLU follows."""

    def __init__(self, layer: nn.Conv2d | nn.ConvTranspose2d, relu: bool) -> None:
        super().__init__()
        assert layer.bias is not None
        self.weight, self.bias, self.relu = layer.weight, layer.bias, relu

    def rectify(self, y: Tensor) -> Tensor:
        """The ReLU, if one follows, in the memory of ``y``."""
        return y.relu_() if self.relu else y


class ImageConv2d(_Form):
    """A 3 x 3 convolution of stride 2 and padding 1 of images with few channels."""

    layout: Tensor

    def __init__(self, layer: nn.Conv2d, relu: bool, run: int) -> None:
        super().__init__(layer, relu)
        self.run = run
        layout = _layout(layer.in_channels, run).to(layer.weight)
        self.register_buffer("layout", layout, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], H even and W a multiple of 2 ``run``, to [B, out, H/2, W/2]."""
        kernel = torch.cat((self.weight.flatten(1), self.bias[:, None]), 1)
        y = self.rectify(F.linear(_unfold(x, self.run), _widen(kernel, self.layout, self.run)))
        return y.unflatten(3, (self.run, -1)).flatten(2, 3).permute(0, 3, 1, 2)


class ImageConvTranspose2d(_Form):
    """The transpose of ImageConv2d, at the end of a network."""

    layout: Tensor

    def __init__(self, layer: nn.ConvTranspose2d, run: int) -> None:
        super().__init__(layer, relu=False)
        self.run = run
        layout = _layout(layer.out_channels, run)[:-1].to(layer.weight)
        self.register_buffer("layout", layout, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], W a multiple of ``run``, to [B, out, 2H, 2W]."""
        runs = x.permute(0, 2, 3, 1).unflatten(2, (-1, self.run)).flatten(3)
        windows = runs @ _widen(self.weight.flatten(1), self.layout, self.run)
        return _Fold.apply(windows, self.bias, self.run)


class _Strided(_Form):
    """A 3 x 3 convolution of stride 2 and padding 1, or its transpose."""

    def __init__(
        self, layer: nn.Conv2d | nn.ConvTranspose2d, relu: bool, unstrided: bool, products: bool
    ) -> None:
        super().__init__(layer, relu)
        self.unstrided, self.products = unstrided, products


class StridedConv2d(_Strided):
    """A 3 x 3 convolution of stride 2 and padding 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W], H and W even, to [B, out, H/2, W/2]."""
        if self.products:  # autograd refuses to have what these give changed in its place
            y = _Down.apply(x, self.weight, self.bias, True)
            return F.relu(y) if self.relu else y
        if self.unstrided:
            return self.rectify(_Down.apply(x, self.weight, self.bias, False))
        return self.rectify(F.conv2d(x, self.weight, self.bias, stride=2, padding=1))


class StridedConvTranspose2d(_Strided):
    """The transpose of StridedConv2d."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, H, W] to [B, out, 2H, 2W]."""
        if self.unstrided or self.products:
            return self.rectify(_Up.apply(x, self.weight, self.bias, self.products))
        return self.rectify(F.conv_transpose2d(x, self.weight, self.bias, 2, 1, output_padding=1))


class GridConv2d(_Form):
    """A convolution whose kernel covers the whole map."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, G, G] to [B, out, 1, 1]."""
        kernel = self.weight.permute(0, 2, 3, 1).flatten(1)
        y = F.linear(x.permute(0, 2, 3, 1).flatten(1), kernel, self.bias)
        return self.rectify(y)[..., None, None]


class GridConvTranspose2d(_Form):
    """The transpose of GridConv2d."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in, 1, 1] to [B, out, G, G]."""
        kernel = self.weight.permute(0, 2, 3, 1)  # [in, G, G, out]
        bias = self.bias.repeat(math.prod(kernel.shape[1:3]))
        y = self.rectify(torch.addmm(bias, x.flatten(1), kernel.flatten(1)))
        return y.unflatten(1, kernel.shape[1:]).permute(0, 3, 1, 2)


def _widen(kernel: Tensor, layout: Tensor, run: int) -> Tensor:
    """Weights [A, 9 C], perhaps with a bias, as the matrix of a run of pixels and their window.

    It is [run A, 3 C (2 run + 1) + 1].
    """
    matrix = kernel @ layout.to(kernel.dtype)
    return matrix.unflatten(1, (run, -1)).transpose(0, 1).flatten(0, 1)


def _layout(channels: int, run: int) -> Tensor:
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
    return layout.flatten(1)


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
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor, products: bool) -> Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.products = products
        return _halve(x, kernel, bias, products=products)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, kernel = ctx.saved_tensors
        back = _spread(grad, kernel, None, products=ctx.products)
        return back, _kernel_gradient(grad, x), grad.sum((0, 2, 3)), None


class _Up(torch.autograd.Function):
    """The transpose of _Down, of maps [B, A, H, W] to [B, C, 2 H, 2 W], plus a bias [C]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, bias: Tensor, products: bool) -> Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.products = products
        return _spread(x, kernel, bias, products=products)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, kernel = ctx.saved_tensors
        back = _halve(grad, kernel, None, products=ctx.products)
        return back, _kernel_gradient(x, grad), grad.sum((0, 2, 3)), None


def _kernel_gradient(small: Tensor, large: Tensor) -> Tensor:
    """The gradient [A, C, 3, 3] of a kernel between maps [B, A, H, W] and [B, C, 2 H, 2 W].

    One is what the layer was given, the other the gradient of what it returned.
    """
    near = _windows(F.pad(large, (1, 0, 1, 0)), 3, 2).flatten(0, 2)
    product = (near.T @ small.permute(0, 2, 3, 1).flatten(0, 2)).T
    return product.unflatten(1, (3, 3, -1)).permute(0, 3, 1, 2)


def _windows(x: Tensor, size: int, stride: int) -> Tensor:
    """What a kernel of a size sees of maps [B, C, H, W] at each step: [B, H', W', size² C]."""
    windows = x.permute(0, 2, 3, 1).unfold(1, size, stride).unfold(2, size, stride)
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3)


def _halve(x: Tensor, kernel: Tensor, bias: Tensor | None, *, products: bool) -> Tensor:
    """A convolution of stride 2 and padding 1."""
    if not products:
        return F.conv2d(x, kernel, bias, stride=2, padding=1)
    near = _windows(F.pad(x, (1, 0, 1, 0)), 3, 2)
    return F.linear(near, kernel.permute(0, 2, 3, 1).flatten(1), bias).permute(0, 3, 1, 2)


def _spread(x: Tensor, kernel: Tensor, bias: Tensor | None, *, products: bool) -> Tensor:
    """The transposed convolution, [B, C, 2 H, 2 W], as one of stride 1 that gives 2 x 2 blocks."""
    # A block's first row depends on its own row of x through row 1 of the kernel, on the next one
    # not at all (through zeros); its second row on them through rows 2 and 0. Columns likewise.
    taps = F.pad(kernel, (1, 0, 1, 0)).unflatten(3, (2, 2)).unflatten(2, (2, 2)).flip(2, 4)
    taps = taps.permute(3, 5, 1, 0, 2, 4).flatten(0, 2)  # [2 x 2 x C, A, 2, 2]
    bias = None if bias is None else bias.repeat(4)
    x = F.pad(x, (0, 1, 0, 1))
    if products:
        blocks = F.linear(_windows(x, 2, 1), taps.permute(0, 2, 3, 1).flatten(1), bias)
    else:
        taps = taps.contiguous(memory_format=torch.channels_last)
        blocks = F.conv2d(x, taps, bias).permute(0, 2, 3, 1)
    (b, h, w, _), c = blocks.shape, kernel.shape[1]
    # Allocated so, and no view: autograd would refuse a ReLU in the memory of one.
    last = torch.channels_last
    y = torch.empty(b, c, 2 * h, 2 * w, dtype=x.dtype, device=x.device, memory_format=last)
    cells = y.permute(0, 2, 3, 1).view(b, h, 2, w, 2, c)
    cells.copy_(blocks.unflatten(3, (2, 2, c)).transpose(2, 3))
    return y
