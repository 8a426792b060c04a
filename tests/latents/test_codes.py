"""Encoding and decoding, against the network and plain computations of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import Generator
from support.networks import make_network

from mnist_vae.errors import InputError
from mnist_vae.latents import codes
from mnist_vae.nets import devices


@pytest.mark.parametrize("batch", [1, 100, 255, 256, 1000])
def test_encoding_does_not_depend_on_the_batch(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray, batch: int
) -> None:
    network = make_network()
    monkeypatch.setattr(devices, "BATCH", batch)
    posterior = codes.encode(network, images)
    with torch.no_grad():
        expected = network.encode(torch.from_numpy(images) / 255)
    assert np.ptp(posterior.mean, axis=0).min() > 0.01
    for ours, theirs in zip(posterior, expected, strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_an_autoencoder_encodes_without_log_variance(images: np.ndarray) -> None:
    mean, logvar = codes.encode(make_network(variational=False), images)
    assert mean.shape == (256, 4)
    assert logvar is None


@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("shape", [(1, 4), (15, 4), (3, 5, 4)])
def test_decoding_keeps_the_arrangement(
    monkeypatch: pytest.MonkeyPatch, rng: Generator, batch: int, shape: tuple[int, ...]
) -> None:
    network, latents = make_network(), rng.standard_normal(shape)
    monkeypatch.setattr(devices, "BATCH", batch)
    pixels = codes.decode(network, latents)
    assert pixels.shape == (*shape[:-1], 1, 28, 28)
    assert pixels.dtype == np.float32
    for place in np.ndindex(shape[:-1]):
        with torch.no_grad():
            alone = network.decode(torch.from_numpy(latents[place]).float()[None])[0]
        np.testing.assert_allclose(pixels[place], alone, atol=1e-6)


@pytest.mark.parametrize(
    ("head", "number", "message"),
    [
        ("mean", np.nan, "a mean that is not in -1e+09 to 1e+09"),
        ("mean", 1e10, "a mean that is not in -1e+09 to 1e+09"),
        ("mean", -1e10, "a mean that is not in -1e+09 to 1e+09"),
        ("logvar", np.inf, "a log-variance that is not in -1e+09 to 30"),
        ("logvar", 31.0, "a log-variance that is not in -1e+09 to 30"),
        ("logvar", -1e10, "a log-variance that is not in -1e+09 to 30"),
    ],
)
def test_latents_that_cannot_be_computed_with_are_refused(
    images: np.ndarray, head: str, number: float, message: str
) -> None:
    network = make_network()
    with torch.no_grad():
        network.get_parameter(f"{head}.bias")[1] = number
    with pytest.raises(InputError, match=r"^the model gives an image ") as error:
        codes.encode(network, images)
    assert message in str(error.value)


def test_pixels_that_are_no_numbers_are_refused() -> None:
    network = make_network()
    with torch.no_grad():
        network.get_parameter("hidden.0.bias")[0] = np.nan
    with pytest.raises(InputError, match="decodes a latent to pixels that are no numbers"):
        codes.decode(network, np.zeros((2, 4)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_survive_the_way_to_pixels_and_back(dtype: Any) -> None:
    every = np.arange(256, dtype=np.uint8)
    back = codes.to_bytes(every.astype(dtype) / 255)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, every)


def test_pixels_are_rounded() -> None:
    pixels = np.array([0.0, 0.49 / 255, 0.51 / 255, 254.51 / 255, 1.0])
    assert codes.to_bytes(pixels).tolist() == [0, 0, 1, 255, 255]
