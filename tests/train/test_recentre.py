"""The KL falls to what closed forms say, and images stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.networks import collapse, draw, make_network
from torch import Tensor

from mnist_vae.errors import InputError
from mnist_vae.latents.codes import encode
from mnist_vae.measure.rate import rate
from mnist_vae.nets.vae import VAE
from mnist_vae.train.objective import kl_divergence
from mnist_vae.train.recentre import moments, recentre, rescale


def tensor(blobs: np.ndarray) -> Tensor:
    return torch.from_numpy(blobs.copy())


def skewed(dim: int = 4) -> VAE:
    """A network whose latents lie far from 0, each dimension with a spread of its own."""
    network = make_network(dim)
    assert network.logvar is not None
    with torch.no_grad():
        network.mean.weight.mul_(torch.logspace(-1, 1, dim)[:, None])
        network.mean.bias.copy_(torch.linspace(-5, 9, dim))
        network.logvar.bias.copy_(torch.linspace(-4, 1, dim))
    return network


def test_the_moments_are_where_no_shift_or_scale_makes_the_kl_less() -> None:
    mean, logvar = 3 * draw(200, 4) + 7, 2 * draw(200, 4, seed=1) - 3
    batches = zip(mean.split(60), logvar.split(60), strict=True)  # the last one is shorter
    shift, scale = (start.requires_grad_() for start in moments(batches))

    def kl(shift: Tensor, scale: Tensor) -> Tensor:
        return kl_divergence((mean - shift) / scale, logvar - 2 * scale.log()).mean()

    least = kl(shift, scale)
    slopes = torch.autograd.grad(least, (shift, scale))
    assert all(slope.abs().max() < 1e-12 for slope in slopes)
    assert least.item() == pytest.approx((scale.log() - logvar.mean(0) / 2).sum().item())
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        moved = [p + 0.1 * torch.rand(4, generator=generator).double() for p in (shift, scale)]
        assert kl(*moved) > least


def test_the_kl_falls_to_its_least_and_images_stay(blobs: np.ndarray) -> None:
    network, noise = skewed(), torch.randn(256, 4, generator=torch.Generator().manual_seed(2))
    pixels = tensor(blobs).float() / 255
    mean, logvar = encode(network, blobs.copy())
    assert logvar is not None
    with torch.no_grad():
        decoded, sampled = network.decode(torch.from_numpy(mean)), network(pixels, noise).logits
    aggregated = mean.astype(float).var(0) + np.exp(logvar.astype(float)).mean(0)
    least = 0.5 * (np.log(aggregated) - logvar.mean(0))

    recentre(network, tensor(blobs))

    new_mean, new_logvar = encode(network, blobs.copy())
    assert new_logvar is not None
    np.testing.assert_allclose(rate(new_mean, new_logvar), least, rtol=1e-4, atol=1e-5)
    assert least.sum() < rate(mean, logvar).sum() - 1
    np.testing.assert_allclose(new_mean.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(new_mean.var(0) + np.exp(new_logvar).mean(0), 1, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(
            network.decode(torch.from_numpy(new_mean)), decoded, atol=1e-5, rtol=0
        )
        torch.testing.assert_close(network(pixels, noise).logits, sampled, atol=1e-4, rtol=1e-4)


def test_a_second_time_changes_nothing_much(blobs: np.ndarray) -> None:
    network = skewed()
    recentre(network, tensor(blobs))
    once = {name: value.clone() for name, value in network.state_dict().items()}
    recentre(network, tensor(blobs))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, once[name], atol=1e-5, rtol=1e-5)


def test_a_prior_that_is_met_stays(blobs: np.ndarray) -> None:
    network = collapse(make_network())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recentre(network, tensor(blobs))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])


@pytest.mark.parametrize("logvar", [1000.0, -3000.0, float("nan")])
def test_a_spread_that_is_no_number_is_refused(blobs: np.ndarray, logvar: float) -> None:
    network = collapse(make_network())
    assert network.logvar is not None
    with torch.no_grad():
        network.logvar.bias[1] = logvar
    with pytest.raises(InputError, match="the spread of a latent dimension is no longer"):
        recentre(network, tensor(blobs))
    assert network.mean.weight.isfinite().all()


def test_rescaling_is_undone_by_its_inverse() -> None:
    network = make_network().double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shift, scale = 10 * draw(4), 0.01 + draw(4, seed=1)
    rescale(network, shift, scale)
    assert not torch.equal(network.mean.bias, before["mean.bias"])
    rescale(network, -shift / scale, 1 / scale)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name])


def test_an_autoencoder_has_nothing_to_recentre(blobs: np.ndarray) -> None:
    with pytest.raises(ValueError, match="an autoencoder has no KL"):
        recentre(make_network(variational=False), tensor(blobs))
