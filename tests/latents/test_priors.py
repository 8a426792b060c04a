"""Priors against closed forms, and what is drawn from them against what they were fitted to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.random import Generator
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mnist_vae.latents import priors
from mnist_vae.latents.posteriors import Posterior
from mnist_vae.latents.priors import Prior, PriorSettings

PLACES = np.array([[-20.0, 0], [20, 0], [0, 30]])


def clusters(rng: Generator, n: int = 900) -> tuple[np.ndarray, np.ndarray]:
    """Latents [n, 2] about three places far apart, each with a covariance of its own; the places.

    Of class 0 there are two, with a third of the latents each.
    """
    which = np.arange(n) % 3
    shapes = np.array([[[1.0, 0], [0.9, 0.5]], [[2, 0], [0, 0.3]], [[0.5, 0], [-0.4, 1]]])
    noise = rng.standard_normal((n, 2, 1))
    return PLACES[which] + (shapes[which] @ noise)[..., 0], which


def covariances(prior: Prior) -> np.ndarray:
    return np.asarray(prior.factors @ prior.factors.transpose(0, 2, 1))


def test_the_standard_prior_draws_standard_normal_numbers(rng: Generator) -> None:
    prior = priors.standard(3)
    drawn = priors.draw(prior, 5, np.random.default_rng(1))
    assert drawn.labels is None
    assert drawn.latents.dtype == np.float32
    stream = np.random.default_rng(1)
    stream.choice(1, 5, p=[1.0])  # which component
    np.testing.assert_array_equal(drawn.latents, stream.standard_normal((5, 3)).astype(np.float32))
    z = rng.standard_normal((7, 3))
    expected = multivariate_normal(np.zeros(3)).logpdf(z)
    np.testing.assert_allclose(priors.log_density(prior, z), expected)


def test_the_gaussian_has_the_moments_of_the_latents(rng: Generator) -> None:
    latents = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3)) + [1, -2, 300]
    prior = priors.gaussian(latents)
    np.testing.assert_allclose(prior.means, latents.mean(0)[None])
    np.testing.assert_allclose(covariances(prior)[0], np.cov(latents.T, ddof=0), rtol=1e-4)
    drawn = priors.draw(prior, 100_000, rng).latents
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(latents.T), atol=0.1)
    np.testing.assert_allclose(drawn.mean(0), latents.mean(0), atol=0.05)


def test_all_priors_of_a_model_survive_as_arrays(rng: Generator) -> None:
    latents, which = clusters(rng)
    posterior = Posterior(latents, np.full_like(latents, -50))
    settings = PriorSettings(components=2)
    fitted = priors.fit(posterior, which.astype(np.uint8), settings, seed=0)
    assert list(fitted) == ["gaussian", "mixture", "classes"]
    back = priors.of_arrays(priors.to_arrays(fitted))
    assert list(back) == list(fitted)
    for name, prior in fitted.items():
        for ours, theirs in zip(prior, back[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert list(priors.fit(posterior, None, settings, seed=0)) == ["gaussian", "mixture"]


def test_priors_are_fitted_to_draws_and_not_to_means() -> None:
    posterior = Posterior(np.zeros((4000, 2)), np.full((4000, 2), math.log(9)))
    fitted = priors.fit(posterior, None, PriorSettings(components=1), seed=0)
    for prior in fitted.values():
        np.testing.assert_allclose(covariances(prior)[0], 9 * np.eye(2), atol=0.7)


def test_each_pass_is_one_of_expectation_and_maximization(
    rng: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From where ours begins, another library comes to the same mixture in as many passes."""
    shapes, which = rng.normal(size=(6, 4, 4)), rng.integers(0, 6, 3000)
    latents = (shapes[which] @ rng.normal(size=(3000, 4, 1)))[..., 0]
    latents += rng.normal(0, 2, (6, 4))[which]
    latents = (latents - latents.mean(0)) / latents.std(0)
    monkeypatch.setattr(priors, "TOLERANCE", -1)

    def ours(passes: int) -> Prior:
        monkeypatch.setattr(priors, "ITERATIONS", passes)
        return priors.mixture(latents, 6, seed=0)

    start, end = ours(0), ours(7)
    theirs = GaussianMixture(
        6,
        max_iter=7,
        tol=0,
        reg_covar=priors.RIDGE,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(covariances(start)),
    )
    with pytest.warns(ConvergenceWarning):
        theirs.fit(latents)
    np.testing.assert_allclose(end.weights, theirs.weights_, rtol=1e-5)
    np.testing.assert_allclose(end.means, theirs.means_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(covariances(end), theirs.covariances_, rtol=1e-4, atol=1e-6)
    assert (
        priors.log_density(end, latents).mean() > priors.log_density(start, latents).mean() + 0.02
    )


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_a_mixture_does_not_depend_on_how_many_latents_are_held_at_once(
    rng: Generator, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    latents, _ = clusters(rng)
    whole = priors.mixture(latents, 3, seed=0)
    monkeypatch.setattr(priors, "CHUNK", chunk)
    for ours, theirs in zip(priors.mixture(latents, 3, seed=0)[:3], whole[:3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


def test_a_mixture_finds_clusters(rng: Generator) -> None:
    latents, which = clusters(rng)
    prior = priors.mixture(latents, 3, seed=0)
    order = [np.abs(prior.means - place).sum(1).argmin() for place in PLACES]
    assert sorted(order) == [0, 1, 2]
    np.testing.assert_allclose(prior.weights, 1 / 3)
    for k, members in zip(order, (latents[which == c] for c in range(3)), strict=True):
        np.testing.assert_allclose(prior.means[k], members.mean(0), atol=1e-6)
        expected = np.cov(members.T, ddof=0)
        np.testing.assert_allclose(covariances(prior)[k], expected, atol=0.001)


def test_a_density_is_the_weighted_sum_of_gaussians(rng: Generator) -> None:
    latents, _ = clusters(rng)
    prior = priors.mixture(latents[:300], 4, seed=0)
    each = [
        weight * multivariate_normal(mean, covariance).pdf(latents[300:])
        for weight, mean, covariance in zip(
            prior.weights, prior.means, covariances(prior), strict=True
        )
    ]
    density = priors.log_density(prior, latents[300:])
    np.testing.assert_allclose(density, np.log(np.sum(each, axis=0)))


def test_more_of_what_there_is_fits_held_out_latents_better(rng: Generator) -> None:
    latents, _ = clusters(rng)
    densities = [
        priors.log_density(prior, latents[600:]).mean()
        for prior in (priors.standard(2), priors.gaussian(latents[:600]))
    ] + [priors.log_density(priors.mixture(latents[:600], 3, seed=0), latents[600:]).mean()]
    assert densities == sorted(densities)


def test_a_prior_by_class_draws_the_class_that_is_asked_for(rng: Generator) -> None:
    latents, which = clusters(rng)
    labels = np.where(which == 2, 7, 4)
    prior = priors.by_class(latents, labels, 2, seed=0)
    assert prior.classes == 8
    assert prior.labels is not None
    assert prior.labels.tolist() == [4, 4, 7, 7]
    assert prior.weights[prior.labels == 4].sum() == pytest.approx(2 / 3)
    assert prior.weights.sum() == pytest.approx(1)

    drawn = priors.draw(prior, 3000, rng)
    assert drawn.labels is not None
    assert np.mean(drawn.labels == 4) == pytest.approx(2 / 3, abs=0.03)
    nearest = np.linalg.norm(drawn.latents[:, None] - PLACES, axis=2).argmin(1)
    np.testing.assert_array_equal(nearest == 2, drawn.labels == 7)

    one = priors.draw(prior, 50, rng, label=7)
    assert one.labels is not None
    assert set(one.labels.tolist()) == {7}
    assert (np.linalg.norm(one.latents - PLACES[2], axis=1) < 8).all()


@pytest.mark.parametrize("label", [0, 5, 8])
def test_a_class_that_a_prior_has_not_is_refused(rng: Generator, label: int) -> None:
    latents, which = clusters(rng)
    for prior in (priors.gaussian(latents), priors.by_class(latents, which * 2 + 3, 1, seed=0)):
        if prior.labels is None or label not in prior.labels:
            with pytest.raises(ValueError, match=f"label is {label}, which no component"):
                priors.draw(prior, 1, rng, label=label)


def test_the_seed_decides_what_is_fitted_and_the_stream_what_is_drawn(rng: Generator) -> None:
    latents = rng.normal(size=(300, 2))
    one, same, other = (priors.mixture(latents, 5, seed=seed) for seed in (0, 0, 1))
    for a, b in zip(one[:3], same[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.means, other.means)
    first, again = (priors.draw(one, 9, np.random.default_rng(3)).latents for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_few_latents_get_few_components(rng: Generator) -> None:
    latents = rng.normal(size=(9, 2))
    assert len(priors.mixture(latents, 100, seed=0).weights) == 3  # 9 // (2 + 1)
    assert len(priors.mixture(latents[:2], 100, seed=0).weights) == 1
    with pytest.raises(ValueError, match="found no latents"):
        priors.mixture(latents[:0], 1, seed=0)


def test_a_class_with_one_latent_gives_that_again(rng: Generator) -> None:
    latents = rng.normal(size=(9, 2))
    prior = priors.by_class(latents, np.array([0] * 8 + [1]), 4, seed=0)
    drawn = priors.draw(prior, 100, rng, label=1).latents
    np.testing.assert_allclose(drawn, np.tile(latents[8], (100, 1)), atol=0.01)


def test_a_dimension_that_is_not_in_use_stays_so(rng: Generator) -> None:
    latents = np.stack([rng.normal(size=200), np.full(200, 5.0)], 1)
    drawn = priors.draw(priors.mixture(latents, 2, seed=0), 100, rng).latents
    assert np.abs(drawn[:, 1] - 5).max() < 0.01
    assert math.isfinite(priors.log_density(priors.gaussian(latents), latents).sum())


def test_scale_does_not_change_the_fit(rng: Generator) -> None:
    """A latent of a thousandth's spread is fitted as well as one of 1."""
    latents, _ = clusters(rng)
    plain = priors.mixture(latents, 3, seed=0)
    scaled = priors.mixture(latents * [1e-4, 1e3], 3, seed=0)
    np.testing.assert_allclose(scaled.means, plain.means * [1e-4, 1e3], rtol=1e-6, atol=1e-9)
