"""The network against the notebook's own, its initialization, and how weights are kept."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mnist_vae import params
from mnist_vae.errors import InputError
from mnist_vae.files import store
from mnist_vae.nets import fast
from mnist_vae.nets.initialize import initialize
from mnist_vae.nets.model import ModelSettings, build
from mnist_vae.nets.vae import VAE
from mnist_vae.nets.weights import load as load_weights
from mnist_vae.nets.weights import save as save_weights


class Notebook(nn.Module):
    """The notebook's network, layer by layer, with its noise passed in and its sizes free."""

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


def fresh(network: VAE, how: Any = "looks_linear", seed: int = 0) -> VAE:
    """The network with parameters drawn for images whose mean is that of MNIST."""
    initialize(network, how, torch.Generator().manual_seed(seed), 0.13)
    return network


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Uniform numbers in [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def forward(network: VAE, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pixels [B, C, H, W], posterior means and log-variances of a forward pass over images."""
    output = network(images, noise)
    return output.logits.sigmoid(), output.mean, output.logvar


@pytest.fixture(params=[False, True], ids=["float32's form", "bfloat16's form"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers in the form of float32, then in that of bfloat16 on a processor."""
    if request.param:
        monkeypatch.setattr(fast, "_is_cpu_bfloat16", lambda x: True)


# --- The network ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dim", "size", "channels", "widths"),
    [
        (16, 28, 1, (16, 32, 64)),
        (2, 28, 1, (16, 32, 64)),
        (5, 4, 1, (2, 3, 4)),
        (5, 8, 3, (4, 6, 5)),
        (5, 32, 2, (1, 1, 1)),
    ],
)
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.usefixtures("form")
def test_it_is_the_notebooks_network(
    dim: int, size: int, channels: int, widths: tuple[int, int, int], count: int
) -> None:
    network = fresh(VAE(dim, image_size=size, channels=channels, widths=widths)).double()
    notebook = Notebook(dim, size, channels, widths).double()
    with torch.no_grad():
        for theirs, ours in zip(notebook.parameters(), network.parameters(), strict=True):
            if ours.ndim == 1:
                ours.add_(draw(*ours.shape, seed=2) - 0.5)  # no bias is left 0
            theirs.copy_(ours)
    images, eps = draw(count, channels, size, size), draw(count, dim, seed=1) * 2 - 1

    def loss(pixels: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return (pixels - images).square().sum() + (mean.square() + logvar.exp() - logvar).sum()

    found, expected = forward(network, images, eps), notebook(images, eps)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    loss(*found).backward()
    loss(*expected).backward()
    for theirs, ours in zip(notebook.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
    assert all(p.grad.abs().sum() > 0 for p in notebook.latent_mean.parameters())


@pytest.mark.usefixtures("form")
def test_gradients_reach_the_images() -> None:
    network, notebook = fresh(VAE(3)).double(), Notebook(3).double()
    with torch.no_grad():
        for theirs, ours in zip(notebook.parameters(), network.parameters(), strict=True):
            theirs.copy_(ours)
    ours, theirs = draw(2, 1, 28, 28).requires_grad_(), draw(2, 1, 28, 28).requires_grad_()
    network.encode(ours)[0].sum().backward()
    notebook(theirs, torch.zeros(2, 3).double())[1].sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("dim", [1, 2, 16, 512])
def test_number_of_parameters(dim: int) -> None:
    convolutions = (9 + 1) * 16 + (9 * 16 + 1) * 32 + (49 * 32 + 1) * 64
    mirrored = (49 * 64 * 32 + 32) + (9 * 32 * 16 + 16) + (9 * 16 + 1)
    heads, code = 2 * (64 + 1) * dim, (dim + 1) * 64
    assert sum(p.numel() for p in VAE(dim).parameters()) == convolutions + heads + code + mirrored


def test_the_notebooks_number_of_parameters() -> None:
    assert sum(p.numel() for p in VAE(16).parameters()) == 213_537


def test_forward_is_encode_sample_decode() -> None:
    network = fresh(VAE(16)).double()
    images, eps = draw(3, 1, 28, 28), draw(3, 16, seed=1)
    pixels, mean, logvar = forward(network, images, eps)
    torch.testing.assert_close((mean, logvar), network.encode(images))
    torch.testing.assert_close(pixels, network.decode(mean + (logvar / 2).exp() * eps))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize(
    ("size", "channels", "widths"),
    [(28, 1, (16, 32, 64)), (4, 1, (2, 3, 5)), (32, 3, (4, 8, 16)), (64, 2, (2, 2, 2))],
)
@pytest.mark.usefixtures("form")
def test_shapes(count: int, size: int, channels: int, widths: tuple[int, int, int]) -> None:
    network = fresh(VAE(7, image_size=size, channels=channels, widths=widths))
    images = torch.zeros(count, channels, size, size)
    pixels, mean, logvar = forward(network, images, torch.zeros(count, 7))
    assert mean.shape == logvar.shape == (count, 7)
    assert pixels.shape == network.decode(mean).shape == images.shape
    assert ((pixels >= 0) & (pixels <= 1)).all()


@pytest.mark.parametrize("size", [0, -4, 2, 27, 30])
def test_an_image_size_that_does_not_fit(size: int) -> None:
    with pytest.raises(ValueError, match=f"image_size is {size}, must be a positive multiple"):
        VAE(16, image_size=size)


def test_latents_are_not_rounded_to_bfloat16() -> None:
    network = fresh(VAE(2)).bfloat16()
    for latents in network.encode(draw(3, 1, 28, 28, dtype=torch.bfloat16)):
        assert latents.dtype == torch.float32
        assert not torch.equal(latents, latents.bfloat16().float())
    drawn: list[Tensor] = []
    network.decoder.register_forward_pre_hook(lambda _, given: drawn.extend(given))
    eps = draw(3, 2, seed=1, dtype=torch.float32)
    _, mean, logvar = network(draw(3, 1, 28, 28).bfloat16(), eps)
    assert torch.equal(drawn[0], mean + eps * (0.5 * logvar).exp())
    z = torch.full((1, 2), 3.0)
    near = z + 0.004
    assert torch.equal(z.bfloat16(), near.bfloat16())
    assert not torch.equal(network.decoder[0](z), network.decoder[0](near))


def test_latents_are_not_rounded_to_float32_either() -> None:
    assert VAE(2).double().decoder[0](torch.zeros(1, 2)).dtype == torch.float64


def test_gradients_in_bfloat16_are_close_to_exact_ones() -> None:
    half, exact = fresh(VAE(5)).bfloat16(), VAE(5).double()
    exact.load_state_dict(half.state_dict())
    images, eps = draw(64, 1, 28, 28).bfloat16(), draw(64, 5, seed=1)
    for network, x in ((half, images), (exact, images.double())):
        pixels, _, _ = forward(network, x, eps.to(torch.promote_types(x.dtype, torch.float32)))
        (pixels.double() - images.double()).square().sum().backward()
    for ours, theirs in zip(half.parameters(), exact.parameters(), strict=True):
        assert (ours.grad - theirs.grad).norm() < 0.1 * theirs.grad.norm()


def test_a_network_first_used_in_inference_mode_still_learns() -> None:
    fast._layout.cache_clear()  # or it would hold what an earlier test made
    network, images = fresh(VAE(2)), draw(2, 1, 28, 28, dtype=torch.float32)
    with torch.inference_mode():
        network(images, torch.zeros(2, 2))
    network(images, torch.zeros(2, 2)).logits.sum().backward()


def test_an_autoencoder_has_no_log_variance() -> None:
    network = fresh(VAE(16, variational=False))
    assert network.encode(draw(3, 1, 28, 28, dtype=torch.float32))[1] is None
    left_out = sum(p.numel() for p in VAE(16).parameters()) - (64 + 1) * 16
    assert sum(p.numel() for p in network.parameters()) == left_out


@pytest.mark.parametrize("variational", [True, False])
def test_only_an_autoencoder_ignores_noise(variational: bool) -> None:
    network = fresh(VAE(16, variational=variational))
    images = draw(3, 1, 28, 28, dtype=torch.float32)
    quiet, loud = (forward(network, images, torch.full((3, 16), eps))[0] for eps in (0, 9.0))
    assert torch.equal(quiet, loud) != variational


# --- Initialization -------------------------------------------------------------------------------


def test_pytorch_initialization_is_that_of_its_own_layers() -> None:
    network = fresh(VAE(16), "pytorch", seed=3)
    torch.manual_seed(3)
    for theirs, ours in zip(Notebook(16).parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


def rms(x: Tensor) -> float:
    return x.square().mean().sqrt().item()


@pytest.mark.parametrize("how", ["he", "looks_linear"])
@pytest.mark.parametrize("widths", [(16, 32, 64), (64, 64, 64), (8, 64, 128)])
def test_initialization_keeps_the_variance_of_activations(
    widths: tuple[int, int, int], how: str
) -> None:
    network = fresh(VAE(64, widths=widths), how)
    sizes: dict[str, tuple[float, float]] = {}

    def watch(name: str) -> Any:
        def see(layer: nn.Module, given: tuple[Tensor], found: Tensor) -> None:
            sizes[name] = rms(given[0]), rms(found)

        return see

    for name, layer in network.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(watch(name))
            if layer is list(network.decoder)[-1]:
                assert layer.bias is not None
                layer.bias.data.zero_()  # not an activation's variance but the images' mean
    with torch.no_grad():
        x = torch.randn(256, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        mean, _ = network.encode(x)
        network.decode(torch.randn(256, 64, generator=torch.Generator().manual_seed(1)))

    # Their outputs are seen before any ReLU, but for those of layers that have their own.
    plain = {"mean", list(sizes)[-1]}
    plain |= {name for name, layer in network.named_modules() if getattr(layer, "relu", False)}
    assert len(sizes) == 9
    for name, (given, found) in sizes.items():
        if name != "logvar":
            # ReLU halves the second moment, so that a layer before one doubles it.
            gain = 1 if name in plain else math.sqrt(2)
            assert found / given == pytest.approx(gain, rel=0.35), name
    assert rms(mean) == pytest.approx(1, rel=0.5)


@pytest.mark.parametrize("how", ["he", "looks_linear"])
def test_initialization_starts_with_a_small_log_variance_and_the_images_mean(how: str) -> None:
    network = fresh(VAE(16), how)
    images = draw(64, 1, 28, 28, dtype=torch.float32)
    pixels, _, logvar = forward(network, images, torch.zeros(64, 16))
    assert logvar.max() < -1
    assert pixels.mean().item() == pytest.approx(0.13, rel=0.5)


@pytest.mark.parametrize(("how", "linear"), [("looks_linear", True), ("he", False)])
def test_a_fresh_network_looks_linear(how: str, linear: bool) -> None:
    network = fresh(VAE(16), how).double()
    with torch.no_grad():
        network.decoder[-1].bias.zero_()  # that of the mean image
        x, y = draw(8, 1, 28, 28), draw(8, 1, 28, 28, seed=1)
        means = [network.encode(images)[0] for images in (x, y, x + y)]
        x, y = draw(8, 64), draw(8, 64, seed=1)
        logits = [network.decoder[2:](h) for h in (x, y, x + y)]
    for first, second, together in (means, logits):
        assert torch.allclose(first + second, together, rtol=0, atol=1e-9) == linear


def test_the_decoders_first_units_bend_where_latents_are() -> None:
    first = fresh(VAE(2, widths=(16, 32, 4096))).decoder[0]
    assert isinstance(first, nn.Linear)
    # Distance from the origin to where a unit starts to fire.
    distance = first.bias.detach().abs() / first.weight.detach().norm(dim=1)
    assert 0.5 < distance.median().item() < 2
    assert (first.bias > 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("how", ["pytorch", "he", "looks_linear"])
def test_a_seed_is_one_initialization(how: str) -> None:
    first, again, other = (fresh(VAE(16), how, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not any(torch.equal(first[key], other[key]) for key in first if "weight" in key)


# --- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "vae", "latent_dim": 16, "kl_weight": 0.001},
        {"kind": "vae", "latent_dim": 1, "kl_weight": 0},
        {"kind": "ae", "latent_dim": 512},
        {"kind": "ae", "latent_dim": 2, "seed": 3, "learning_rate_scale": 0.5},
    ],
)
def test_settings_that_make_a_model(settings: dict[str, Any]) -> None:
    checked = params.check(settings, ModelSettings, "models.x")
    network = build(checked)
    assert network.latent_dim == settings["latent_dim"]
    assert network.variational == (settings["kind"] == "vae")
    assert checked.pick_seed(7) == settings.get("seed", 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "gan", "latent_dim": 2}, "models.x.kind: found 'gan', must be one of vae, ae"),
        ({"kind": "ae"}, "models.x.latent_dim: missing"),
        ({"kind": "ae", "latent_dim": 0}, "models.x.latent_dim: found 0, must be from 1 to 512"),
        ({"kind": "ae", "latent_dim": 513}, "models.x.latent_dim: found 513"),
        ({"kind": "vae", "latent_dim": 2}, "models.x: a model of kind vae needs a kl_weight"),
        (
            {"kind": "ae", "latent_dim": 2, "kl_weight": 1},
            "models.x: a model of kind ae has no KL: leave out kl_weight",
        ),
        ({"kind": "vae", "latent_dim": 2, "kl_weight": -1}, "models.x.kl_weight: found -1.0"),
        ({"kind": "ae", "latent_dim": 2, "seed": -1}, "models.x.seed: found -1"),
        (
            {"kind": "ae", "latent_dim": 2, "learning_rate_scale": 0},
            "models.x.learning_rate_scale: found 0.0",
        ),
    ],
)
def test_settings_that_make_none(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        params.check(settings, ModelSettings, "models.x")
    assert str(error.value).startswith(message)


# --- Files ----------------------------------------------------------------------------------------

VARIATIONAL = ModelSettings(kind="vae", latent_dim=3, kl_weight=0.1, learning_rate_scale=0.3)
PLAIN = ModelSettings(kind="ae", latent_dim=3, seed=5)


@pytest.mark.parametrize("settings", [VARIATIONAL, PLAIN])
def test_a_model_comes_back(tmp_path: Path, settings: ModelSettings) -> None:
    path = tmp_path / "a.safetensors"
    network = fresh(build(settings)).to(memory_format=torch.channels_last)
    save_weights(path, network, "a", settings, epochs=7)
    loaded, found, about = load_weights(path, "a")
    assert found == settings
    assert (about["model"], about["epochs"]) == ("a", 7)
    assert not loaded.training
    ours, theirs = network.state_dict(), loaded.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    network = fresh(build(VARIATIONAL))
    save_weights(tmp_path / "a", network, "a", VARIATIONAL)
    network.to(memory_format=torch.channels_last)
    save_weights(tmp_path / "b", network, "a", VARIATIONAL)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latent_dim": 4}, r"weights do not fit the model: .* is \(64, 3\), must be \(64, 4\)"),
        ({"kind": "ae", "kl_weight": None}, "must be absent"),
        ({"latent_dim": 0}, "settings.latent_dim: found 0, must be from 1 to 512"),
        ({"kind": "gan"}, "settings.kind: found 'gan', must be one of vae, ae"),
        ({"layers": 5}, "settings.layers: unknown key"),
    ],
)
def test_weights_that_do_not_fit_their_settings(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, fresh(build(VARIATIONAL)), "a", VARIATIONAL)
    weights, about = store.read_arrays(path, "weights")
    about["settings"] = dataclasses.asdict(VARIATIONAL) | change
    store.write_arrays(path, "weights", weights, **about)
    with pytest.raises(InputError, match=message):
        load_weights(path, "a")


def test_weights_that_lack_a_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, fresh(build(VARIATIONAL)), "a", VARIATIONAL)
    weights, about = store.read_arrays(path, "weights")
    del weights["mean.bias"]
    store.write_arrays(path, "weights", weights, **about)
    with pytest.raises(InputError, match=r"mean\.bias is missing, must be \(3,\)"):
        load_weights(path, "a")


def test_another_models_weights(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, fresh(build(PLAIN)), "a", PLAIN)
    with pytest.raises(InputError, match="made for model 'a', must be 'b'"):
        load_weights(path, "b")


def test_weights_altered(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_weights(path, fresh(build(PLAIN)), "a", PLAIN)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="do not match their digest"):
        load_weights(path, "a")


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    path, target = tmp_path / "a.safetensors", tmp_path / "touched"

    class Touch:
        def __reduce__(self) -> Any:
            return Path.touch, (target,)

    torch.save(Touch(), path)
    with pytest.raises(InputError, match="damaged"):
        load_weights(path, "a")
    assert not target.exists()


def test_arrays_that_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    store.write_arrays(path, "latents", {"mean": np.zeros((2, 3))}, model="a")
    with pytest.raises(InputError, match="holds latents, must hold weights"):
        load_weights(path, "a")
