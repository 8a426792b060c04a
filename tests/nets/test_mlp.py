"""The network of linear layers: its formulas, its sizes, and what learning makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import write_model
from support.networks import draw, fresh
from support.training import RECIPE, digits, train

from mnist_vae.latents.codes import decode, encode
from mnist_vae.nets import weights
from mnist_vae.nets.initialize import layers_of
from mnist_vae.nets.mlp import MLP
from mnist_vae.nets.model import ModelSettings
from mnist_vae.train.autoencode import Autoencode
from mnist_vae.train.recentre import recentre

SETTINGS = ModelSettings(
    kind="vae",
    latent_dim=3,
    architecture="mlp",
    likelihood="bernoulli",
    kl_weight=1.0,
    widths=(32, 16),
)


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (8, 3)])
def test_it_computes_the_papers_functions(size: int, channels: int) -> None:
    network = fresh(MLP(4, image_size=size, channels=channels, widths=(7, 5)), "pytorch").double()
    images, noise = draw(6, channels, size, size), draw(6, 4, seed=1) * 2 - 1
    first, second, mean, logvar, third, fourth, last = (
        (layer.weight.detach().numpy(), layer.get_parameter("bias").detach().numpy())
        for layer in layers_of(network)
    )

    h = images.flatten(1).numpy()
    for w, b in (first, second):
        h = np.tanh(h @ w.T + b)
    mu, log = (h @ w.T + b for w, b in (mean, logvar))
    x = mu + np.exp(log / 2) * noise.numpy()
    for w, b in (third, fourth):
        x = np.tanh(x @ w.T + b)
    logits = (x @ last[0].T + last[1]).reshape(images.shape)

    output = network(images, noise)
    for ours, expected in zip(output, (logits, mu, log), strict=True):
        np.testing.assert_allclose(ours.detach(), expected, rtol=1e-10, atol=1e-12)


def test_number_of_parameters() -> None:
    encoder = 785 * 200 + 201 * 200
    assert sum(p.numel() for p in MLP(50).parameters()) == (
        encoder + 2 * 201 * 50 + 51 * 200 + 201 * 200 + 201 * 784
    )
    plain = MLP(2, variational=False, widths=(9,))
    assert sum(p.numel() for p in plain.parameters()) == 785 * 9 + 10 * 2 + 3 * 9 + 10 * 784
    assert plain.encode(draw(2, 1, 28, 28, dtype=torch.float32))[1] is None


def test_no_hidden_layer() -> None:
    with pytest.raises(ValueError, match="must have one for each hidden layer"):
        MLP(2, widths=())


def test_no_two_units_start_as_one() -> None:
    """In pairs of opposite sign they would: tanh is odd, and so would be all their gradients."""
    for layer in layers_of(fresh(MLP(50), "looks_linear")):
        rows = layer.weight.detach()
        assert int(torch.linalg.matrix_rank(rows)) == min(rows.shape)


def test_activations_start_neither_vanishing_nor_saturated() -> None:
    network = fresh(MLP(50))
    hidden = network.encoder(torch.randn(256, 1, 28, 28, generator=torch.Generator()))
    assert 0.4 < hidden.detach().square().mean().sqrt().item() < 0.8
    output = network(draw(64, 1, 28, 28, dtype=torch.float32), torch.zeros(64, 50))
    assert output.logits.sigmoid().mean().item() == pytest.approx(0.13, rel=0.5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_black_and_white_digits_drawn_afresh(precision: str) -> None:
    images, _ = digits()
    recipe = type(RECIPE)(
        epochs=12,
        batch_size=40,
        learning_rate=0.01,
        schedule="triangular",
        initialization="looks_linear",
        precision=precision,  # type: ignore[arg-type]
    )
    network, epochs = train(images, SETTINGS, recipe)
    assert epochs[-1].means["loss"] < 0.8 * epochs[0].means["loss"]
    assert {p.dtype for p in network.parameters()} == {torch.float32}

    task = Autoencode(network, SETTINGS, (images,), binarise=True)
    _, coins = task.draw(torch.Generator().manual_seed(1), len(images))
    losses = task.losses(images, torch.zeros(len(images), 3), coins)
    assert losses[0].mean().item() < 250  # of the 543 nats of pixels that are even chances


def test_recentring_leaves_its_images(blobs: np.ndarray) -> None:
    network = fresh(MLP(4)).eval()
    before = decode(network, encode(network, blobs.copy()).mean)
    recentre(network, torch.from_numpy(blobs.copy()))
    after = encode(network, blobs.copy())
    np.testing.assert_allclose(decode(network, after.mean), before, atol=1e-5)
    assert after.logvar is not None
    spread = after.mean.var(0) + np.exp(after.logvar).mean(0)
    np.testing.assert_allclose(spread, 1, atol=1e-4)


def test_its_file_brings_it_back(tmp_path: Path) -> None:
    path = tmp_path / "mlp.safetensors"
    saved = write_model(path, architecture="mlp", widths=(6, 5))
    loaded, facts = weights.load(path)
    assert isinstance(loaded, MLP)
    assert facts.settings.architecture == "mlp"
    assert weights.digest(loaded) == weights.digest(saved)
