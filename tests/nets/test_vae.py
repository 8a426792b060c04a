"""The network against the notebook's own, written here layer by layer."""

from __future__ import annotations

import pytest
import torch
from support.networks import draw, fresh, gradients, mix_precision
from torch import Tensor, nn

from mnist_vae.nets import fast
from mnist_vae.nets.vae import VAE


class Notebook(nn.Module):
    """The notebook's network, with its noise passed in and its sizes free."""

    def __init__(
        self,
        latent_dimension: int = 16,
        image_size: int = 28,
        channels: int = 1,
        widths: tuple[int, int, int] = (16, 32, 64),
    ) -> None:
        super().__init__()
        a, b, self.c = widths
        whole = image_size // 4
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels=channels, out_channels=a, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(in_channels=a, out_channels=b, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(in_channels=b, out_channels=self.c, kernel_size=whole),
            nn.ReLU(),
        )
        self.latent_mean = nn.Linear(self.c, latent_dimension)
        self.latent_logvar = nn.Linear(self.c, latent_dimension)
        self.latent_dec = nn.Sequential(nn.Linear(latent_dimension, self.c), nn.ReLU())
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(in_channels=self.c, out_channels=b, kernel_size=whole),
            nn.ReLU(),
            nn.ConvTranspose2d(b, a, kernel_size=3, stride=2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(a, channels, kernel_size=3, stride=2, padding=1, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.encoder(x).view(-1, self.c)
        mean, logvar = self.latent_mean(x), self.latent_logvar(x)
        z = mean + torch.exp(logvar * 0.5) * eps
        return self.decoder(self.latent_dec(z).view(-1, self.c, 1, 1)), mean, logvar


def forward(network: VAE, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pixels [B, C, H, W], posterior means and log-variances of a forward pass over images."""
    output = network(images, noise)
    return output.logits.sigmoid(), output.mean, output.logvar


def size_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize(
    ("dim", "size", "channels", "widths"),
    [
        (16, 28, 1, (16, 32, 64)),
        (2, 28, 1, (16, 32, 64)),
        (5, 20, 1, (2, 3, 4)),
        (5, 24, 3, (4, 6, 5)),
        (5, 32, 2, (1, 1, 1)),
    ],
)
def test_it_is_the_notebooks_network(
    dim: int, size: int, channels: int, widths: tuple[int, int, int], count: int
) -> None:
    network = VAE(dim, image_size=size, channels=channels, widths=widths)
    fresh(network, "pytorch").double()
    notebook = Notebook(dim, size, channels, widths).double()
    for theirs, ours in zip(notebook.parameters(), network.parameters(), strict=True):
        theirs.data = ours.data.clone()
    images = draw(count, channels, size, size).requires_grad_()
    noise = draw(count, dim, seed=1) * 2 - 1
    output, expected = forward(network, images, noise), notebook(images, noise)
    torch.testing.assert_close(output, expected)
    assert output[0].shape == images.shape
    torch.testing.assert_close(
        gradients(output, network, images), gradients(expected, notebook, images)
    )


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("dim", [1, 2, 16, 512])
def test_number_of_parameters(dim: int, variational: bool) -> None:
    convolutions = (9 + 1) * 16 + (9 * 16 + 1) * 32 + (49 * 32 + 1) * 64
    mirrored = (49 * 64 * 32 + 32) + (9 * 32 * 16 + 16) + (9 * 16 + 1)
    heads, hidden = (1 + variational) * (64 + 1) * dim, (dim + 1) * 64
    expected = convolutions + heads + hidden + mirrored
    assert size_of(VAE(dim, variational=variational)) == expected
    if variational:
        assert size_of(Notebook(dim)) == expected
    assert ((dim, variational) == (16, True)) == (expected == 213_537)


@pytest.mark.parametrize("variational", [True, False])
def test_the_names_under_which_parameters_are_kept(variational: bool) -> None:
    layers = ["encoder.0", "encoder.2", "encoder.4", "mean", *["logvar"] * variational]
    layers += ["hidden.0", "decoder.1", "decoder.3", "decoder.5"]
    keys = [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert list(VAE(2, variational=variational).state_dict()) == keys


def test_forward_is_encode_sample_decode() -> None:
    network = fresh(VAE(16)).double()
    images, noise = draw(3, 1, 28, 28), draw(3, 16, seed=1)
    pixels, mean, logvar = forward(network, images, noise)
    assert logvar is not None
    torch.testing.assert_close((mean, logvar), network.encode(images))
    torch.testing.assert_close(pixels, network.decode(mean + (logvar / 2).exp() * noise))
    assert {part.dtype for part in (pixels, mean, logvar)} == {torch.float64}


@pytest.mark.parametrize("size", [0, -4, 4, 27, 30, 260])
def test_an_image_size_that_does_not_fit(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size is {size}, must be a multiple of 4"):
        VAE(16, image_size=size)


@pytest.mark.parametrize("variational", [True, False])
def test_only_an_autoencoder_has_no_log_variance_and_ignores_noise(variational: bool) -> None:
    network = fresh(VAE(16, variational=variational)).double()
    images = draw(3, 1, 28, 28)
    quiet, loud = (network(images, torch.full((3, 16), noise)) for noise in (0.0, 9.0))
    assert (quiet.logvar is None) == (network.encode(images)[1] is None) == (not variational)
    assert torch.equal(quiet.logits, loud.logits) != variational


@pytest.mark.parametrize("form", [None, torch.bfloat16])
def test_latents_are_not_rounded_to_bfloat16(form: torch.dtype | None) -> None:
    network = fresh(VAE(2))
    mix_precision(network)
    if form:
        fast.put_in(network, image_size=28, dtype=form)
    assert {p.dtype for p in network.encoder.parameters()} == {torch.bfloat16}
    taken: list[Tensor] = []
    network.hidden.register_forward_pre_hook(lambda _, given: taken.extend(given))
    noise = draw(3, 2, seed=1, dtype=torch.float32)
    output = network(draw(3, 1, 28, 28, dtype=torch.float32), noise)
    assert torch.equal(taken[0], output.mean + noise * (0.5 * output.logvar).exp())
    for latents in (*taken, output.mean, output.logvar):
        assert latents.dtype == torch.float32
        assert not torch.equal(latents, latents.bfloat16().float())

    z = torch.full((1, 2), 3.0)
    near = z + 0.004
    assert torch.equal(z.bfloat16(), near.bfloat16())
    assert not torch.equal(network.hidden(z), network.hidden(near))
