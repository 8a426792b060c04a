"""The convolutional VAE, and the same network as a plain autoencoder; how both are kept."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor, nn

from mnist_vae import artifacts, params
from mnist_vae.errors import InputError
from mnist_vae.layers import (
    GridConv2d,
    GridConvTranspose2d,
    ImageConv2d,
    ImageConvTranspose2d,
    LatentLinear,
    StridedConv2d,
    StridedConvTranspose2d,
)
from mnist_vae.params import Range, Seed

Initialization = Literal["pytorch", "he", "looks_linear"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelParams:
    """What to train: one entry of ``models`` in params.yaml."""

    kind: Literal["vae", "ae"]
    """A VAE, or the same network without log-variance, sampling and KL."""
    latent_dim: Annotated[int, Range(1, 512)]
    """Dimensions of the latent."""
    likelihood: Literal["fixed", "gaussian", "bernoulli"] = "fixed"
    """What reconstruction costs; see objective.reconstruction."""
    kl_weight: Annotated[float, Range(0)] | None = None
    """Weight of the KL (nats, summed over dimensions) per image; a VAE needs it."""
    learning_rate_scale: Annotated[float, Range(0, 100, above=True)] = 1.0
    """Factor on the recipe's learning rate."""
    seed: Seed | None = None
    """Seed of this model's initialization, shuffling and noise; the common one if absent."""

    def __post_init__(self) -> None:
        if self.kind == "vae" and self.kl_weight is None:
            raise ValueError("a model of kind vae needs a kl_weight")
        if self.kind == "ae" and self.kl_weight is not None:
            raise ValueError("a model of kind ae has no KL: leave out kl_weight")

    def pick_seed(self, common: int) -> int:
        """The model's own seed, or the common one."""
        return common if self.seed is None else self.seed


class Output(NamedTuple):
    """What a forward pass gives; ``logvar`` is None for an autoencoder."""

    logits: Tensor
    """[B, C, H, W], before the sigmoid that makes them pixels."""
    mean: Tensor
    """[B, D], mean of the posterior (the code of an autoencoder)."""
    logvar: Tensor | None
    """[B, D], log-variance of the posterior."""


class VAE(nn.Module):
    """Encoder to a diagonal Gaussian posterior, decoder to pixel logits.

    With MNIST's sizes and a 16-d latent it has the notebook's 213,537 parameters: convolutions
    1 → 16 → 32 (3x3, stride 2) and 32 → 64 (as large as the map that is left), two linear heads,
    and the mirror image of it all as the decoder.
    """

    def __init__(
        self,
        latent_dim: int,
        *,
        variational: bool = True,
        image_size: int = 28,
        channels: int = 1,
        widths: tuple[int, int, int] = (16, 32, 64),
    ) -> None:
        super().__init__()
        if image_size < 4 or image_size % 4:
            raise ValueError(f"image_size is {image_size}, must be a positive multiple of 4")
        self.latent_dim, self.variational = latent_dim, variational
        a, b, c = widths
        grid = image_size // 4
        self.encoder = nn.Sequential(
            ImageConv2d(channels, a, relu=True),  # a x H/2 x W/2
            StridedConv2d(a, b, relu=True),  # b x H/4 x W/4
            GridConv2d(b, c, grid),  # c
            nn.ReLU(inplace=True),
        )
        self.mean = LatentLinear(c, latent_dim)
        self.logvar = LatentLinear(c, latent_dim) if variational else None
        self.decoder = nn.Sequential(
            LatentLinear(latent_dim, c),
            nn.ReLU(inplace=True),
            GridConvTranspose2d(c, b, grid, relu=True),  # b x H/4 x W/4
            StridedConvTranspose2d(b, a, relu=True),  # a x H/2 x W/2
            ImageConvTranspose2d(a, channels),  # channels x H x W
        )

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Posterior mean and log-variance, [B, D] each, of images [B, C, H, W] in [0, 1].

        Never less than float32: what the objective does with these would show the rounding.
        """
        h = self.encoder(images)
        return self.mean(h), None if self.logvar is None else self.logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        """Pixels [B, C, H, W] in [0, 1] of latents [B, D]."""
        return self.decoder(z).sigmoid()

    def forward(self, images: Tensor, noise: Tensor) -> Output:
        """Encode, draw one latent with standard normal ``noise`` [B, D], decode.

        Images are [B, C, H, W] in [0, 1]. The noise comes from the caller, who holds the random
        generator; an autoencoder ignores it.
        """
        mean, logvar = self.encode(images)
        z = mean if logvar is None else mean + noise * (0.5 * logvar).exp()
        return Output(self.decoder(z), mean, logvar)


@torch.no_grad()
def initialize(
    model: VAE, how: Initialization, generator: torch.Generator, pixel_mean: float
) -> None:
    """Draw the parameters afresh.

    ``pytorch`` is the layers' own default, uniform in ±1/√fan_in by PyTorch's count of fan_in.
    ``he`` keeps the variance of activations through ReLU layers (He et al. 2015) with the number
    of inputs that a transposed convolution really sums, PyTorch's count being of its outputs. The
    decoder's first units bend at places spread over the latents. It starts with a small
    log-variance, so that the latent carries the image from the first step, and with an output whose
    mean is ``pixel_mean``, that of the images: learning that alone would take the first epochs.
    ``looks_linear`` is the same with units in pairs of opposite sign (Balduzzi et al. 2017): of two
    such, one fires whatever comes in, and what both pass on is linear in it.
    """
    for layer in model.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            continue
        weight, bias = layer.weight, layer.bias
        assert bias is not None
        if how == "pytorch":
            bound = 1 / math.sqrt(weight[0].numel())
            weight.uniform_(-bound, bound, generator=generator)
            bias.uniform_(-bound, bound, generator=generator)
            continue
        if isinstance(layer, GridConvTranspose2d):
            fan_in = float(layer.in_channels)
        elif isinstance(layer, nn.ConvTranspose2d):
            fan_in = layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
        else:
            fan_in = weight[0].numel()
        # Gain 2 before a ReLU, 1 before the latent heads and the logits.
        head = layer in (model.mean, model.logvar, model.decoder[-1])
        std = math.sqrt((1 if head else 2) / fan_in)
        weight.normal_(std=std, generator=generator)
        if layer is model.decoder[0]:
            # As if by one more input, of size 2: latents soon spread that far.
            bias.normal_(std=2 * std, generator=generator)
            continue
        bias.zero_()
        if how == "looks_linear":
            outputs, inputs = (1, 0) if isinstance(layer, nn.ConvTranspose2d) else (0, 1)
            if not head:
                _mirror(weight, outputs)
            if layer not in (model.encoder[0], model.decoder[2]):  # what these see has no pairs
                _mirror(weight, inputs)
    if how != "pytorch":
        pixel_mean = min(max(pixel_mean, 0.001), 0.999)  # images all black or white have no logit
        output = model.decoder[-1]
        assert isinstance(output, nn.ConvTranspose2d)
        assert output.bias is not None
        output.bias.fill_(math.log(pixel_mean / (1 - pixel_mean)))
        if model.logvar is not None:
            model.logvar.weight.mul_(0.1)
            model.logvar.bias.fill_(-3.0)


def _mirror(weight: Tensor, dim: int) -> None:
    """Make the second half of a kernel along a dimension the negative of the first."""
    half = weight.shape[dim] // 2
    weight.narrow(dim, half, half).copy_(-weight.narrow(dim, 0, half))


def build(settings: ModelParams) -> VAE:
    """The network that an entry of ``models`` asks for, with parameters yet to be drawn."""
    return VAE(settings.latent_dim, variational=settings.kind == "vae")


def save(path: Path, model: VAE, name: str, settings: ModelParams, **about: object) -> None:
    """Write weights as safetensors, with what rebuilds the model and facts about its training."""
    weights = {key: value.detach().cpu().numpy() for key, value in model.state_dict().items()}
    about = {"model": name, "settings": dataclasses.asdict(settings), **about}
    artifacts.write_arrays(path, "weights", weights, **about)


def load(path: Path, name: str) -> tuple[VAE, ModelParams, dict[str, object]]:
    """Rebuild the model that ``save`` wrote, its settings and the facts about it.

    Raises InputError when the file is damaged, is another model's, or does not fit its settings.
    """
    weights, about = artifacts.read_arrays(path, "weights", model=name)
    settings = params.check(about.get("settings"), ModelParams, f"{path}: settings")
    model = build(settings)
    expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {key: value.shape for key, value in weights.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise InputError(
                f"{path}: weights do not fit the model: {key} is {found.get(key, 'missing')}, "
                f"must be {expected.get(key, 'absent')}"
            )
    model.load_state_dict({key: torch.from_numpy(value) for key, value in weights.items()})
    return model.eval(), settings, about
