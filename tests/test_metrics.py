from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import sklearn.manifold
import sklearn.metrics
import torch
from torch.distributions import Normal, kl_divergence

from mnist_vae import metrics


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Reconstruction, rate and likelihood


@pytest.mark.parametrize("shape", [(3, 784), (3, 28, 28), (3, 1, 28, 28)])
def test_squared_error_sums_over_pixels(shape):
    images = np.full(shape, 0.5, np.float32)
    reconstructions = images + np.array([0, 0.25, -0.5], np.float32).reshape(
        3, *[1] * len(shape[1:])
    )
    assert metrics.squared_error(images, reconstructions).tolist() == [0, 49, 196]


def test_distortion_of_a_known_error():
    images = np.zeros((4, 28, 28))
    found = metrics.distortion(images, images + 0.1)
    assert found.per_image == pytest.approx(7.84)
    assert found.per_pixel == pytest.approx(0.01)
    assert found.psnr == pytest.approx(20)
    assert metrics.distortion(images, images).psnr == math.inf


def test_images_may_be_whole_numbers_of_0_and_1():
    black, white = np.zeros((2, 784), np.uint8), np.ones((2, 784), np.uint8)
    assert metrics.squared_error(black, white).tolist() == [784, 784]


@pytest.mark.parametrize(
    ("images", "output", "problem"),
    [
        (np.zeros((2, 784)), np.zeros((3, 784)), r"\[N, \.\.\.\]"),
        (np.zeros((2, 784)), np.zeros((2, 783)), "783"),
        (np.zeros(784), np.zeros(784), r"\[N, \.\.\.\]"),
        (np.zeros((0, 784)), np.zeros((0, 784)), r"\[N, \.\.\.\]"),
        (np.full((2, 784), 255, np.uint8), np.zeros((2, 784)), "0 to 1"),
        (np.full((2, 784), -0.1), np.zeros((2, 784)), "0 to 1"),
        (np.zeros((2, 784)), np.full((2, 784), np.nan), "NaN"),
    ],
)
def test_images_that_cannot_be_meant_are_refused(images, output, problem):
    with pytest.raises(ValueError, match=problem):
        metrics.squared_error(images, output)
    with pytest.raises(ValueError, match=problem):
        metrics.bernoulli_log_likelihood(images, output, logits=True)


def test_rate_is_the_kl_of_torch(rng):
    mean, logvar = rng.normal(size=(2, 50, 4)) * 3
    posterior = Normal(torch.tensor(mean), torch.tensor(logvar / 2).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).mean(0)
    assert metrics.rate(mean, logvar) == pytest.approx(expected.numpy())


def test_rate_is_zero_at_the_prior_and_keeps_its_digits_beside_it():
    zero = np.zeros((5, 3))
    assert metrics.rate(zero, zero).tolist() == [0, 0, 0]
    # The leading term of the KL in a small log-variance v is v² / 4.
    assert metrics.rate(zero, zero + 1e-7) == pytest.approx(np.full(3, 2.5e-15), rel=1e-4, abs=0)


@pytest.mark.parametrize(
    ("mean", "logvar"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2))),
        (np.zeros(3), np.zeros(3)),
        (np.zeros((5, 3)), np.full((5, 3), np.inf)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
)
def test_rate_refuses_what_is_no_posterior(mean, logvar):
    with pytest.raises(ValueError):
        metrics.rate(mean, logvar)


def test_active_units_counts_means_that_vary():
    sign = np.tile([-1.0, 1.0], 50)[:, None]
    # Variances 4, 0.0121, 0.0081 and 0; a constant far from 0 is not active.
    mean = sign * [2, 0.11, 0.09, 0] + [0, 5, 5, 5]
    assert metrics.active_units(mean) == 2
    assert metrics.active_units(mean, threshold=0.005) == 3
    assert metrics.active_units(np.zeros((10, 16))) == 0


def test_gaussian_log_likelihood_is_that_of_scipy(rng):
    images, reconstructions = rng.random((2, 6, 784))
    error = metrics.squared_error(images, reconstructions)
    expected = scipy.stats.norm.logpdf(images, reconstructions, math.sqrt(0.03)).sum(1)
    assert metrics.gaussian_log_likelihood(error, 0.03) == pytest.approx(expected)


def test_the_mean_squared_error_is_the_variance_of_highest_likelihood(rng):
    images, reconstructions = rng.random((2, 20, 784))
    error = metrics.squared_error(images, reconstructions)
    best = metrics.distortion(images, reconstructions).per_pixel
    at = {
        factor: metrics.gaussian_log_likelihood(error, best * factor).mean()
        for factor in (0.5, 0.99, 1, 1.01, 2)
    }
    assert max(at, key=at.__getitem__) == 1


@pytest.mark.parametrize("kl_weight", [1 / 8192, 0.02, 3.0])
def test_squared_error_with_a_kl_weight_is_a_gaussian_elbo_up_to_scale(kl_weight):
    errors, rates = np.array([6.0, 9.0, 40.0]), np.array([150.0, 30.0, 0.5])
    loss = errors + kl_weight * rates
    elbo = [
        metrics.elbo(metrics.gaussian_log_likelihood(e, kl_weight / 2), r)
        for e, r in zip(errors[:, None], rates[:, None], strict=True)
    ]
    assert np.diff(loss) == pytest.approx(-kl_weight * np.diff(elbo))


@pytest.mark.parametrize("variance", [0, -1, math.nan, math.inf])
def test_gaussian_log_likelihood_needs_a_variance(variance):
    with pytest.raises(ValueError, match="variance"):
        metrics.gaussian_log_likelihood(np.ones(3), variance)


def test_bernoulli_log_likelihood_of_binary_pixels_is_that_of_scipy(rng):
    images, p = rng.integers(0, 2, (6, 784)), rng.uniform(0.01, 0.99, (6, 784))
    expected = scipy.stats.bernoulli.logpmf(images, p).sum(1)
    assert metrics.bernoulli_log_likelihood(images, p, logits=False) == pytest.approx(expected)


def test_bernoulli_log_likelihood_of_gray_pixels_is_minus_the_cross_entropy_of_torch(rng):
    images, output = rng.random((6, 28, 28)), 3 * rng.normal(size=(6, 28, 28))
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    cross_entropy = loss(torch.tensor(output), torch.tensor(images), reduction="none").sum((1, 2))
    found = metrics.bernoulli_log_likelihood(images, output, logits=True)
    assert found == pytest.approx(-cross_entropy.numpy())
    p = 1 / (1 + np.exp(-output))
    assert metrics.bernoulli_log_likelihood(images, p, logits=False) == pytest.approx(found)


def test_bernoulli_log_likelihood_at_its_ends():
    white = np.ones((1, 784))
    assert metrics.bernoulli_log_likelihood(white, white, logits=False).tolist() == [0]
    assert metrics.bernoulli_log_likelihood(white, 0 * white, logits=False).tolist() == [-math.inf]
    for images, logit in ((white, -1000), (0 * white, 1000)):
        far = metrics.bernoulli_log_likelihood(images, logit * white, logits=True)
        assert far == pytest.approx([-784_000])
    with pytest.raises(ValueError, match="probabilities"):
        metrics.bernoulli_log_likelihood(white, 2 * white, logits=False)


class LinearVAE(NamedTuple):
    """Probabilistic PCA, x ~ N(Wz + b, s²I): a VAE whose likelihood is known in closed form."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray
    noise: float
    mean: np.ndarray
    """Of the true posterior, [N, D]."""
    covariance: np.ndarray
    """Of the true posterior, the same for every image, [D, D]."""

    @classmethod
    def draw(cls, rng: np.random.Generator, n: int = 200, d: int = 2, p: int = 5) -> LinearVAE:
        w, b, noise = rng.normal(size=(p, d)), rng.normal(size=p), 0.6
        x = rng.normal(size=(n, d)) @ w.T + b + noise * rng.normal(size=(n, p))
        covariance = np.linalg.inv(np.eye(d) + w.T @ w / noise**2)
        return cls(x, w, b, noise, (x - b) @ w @ covariance / noise**2, covariance)

    def nll(self) -> float:
        """Exact, in nats per image."""
        covariance = self.w @ self.w.T + self.noise**2 * np.eye(len(self.b))
        return -scipy.stats.multivariate_normal.logpdf(self.x, self.b, covariance).mean()

    def log_weights(self, mean, covariance, k, rng) -> np.ndarray:
        """For k draws from N(mean, covariance) as the approximate posterior, [N, k]."""
        q = scipy.stats.multivariate_normal(cov=covariance)
        step = q.rvs((len(self.x), k), random_state=rng).reshape(len(self.x), k, -1)
        z = mean[:, None] + step
        residual = self.x[:, None] - z @ self.w.T - self.b
        log_p = scipy.stats.norm.logpdf(residual, scale=self.noise).sum(-1)
        return log_p + scipy.stats.norm.logpdf(z).sum(-1) - q.logpdf(step).reshape(len(self.x), k)


def test_importance_nll_converges_from_above_to_the_exact_likelihood(rng):
    vae = LinearVAE.draw(rng)
    # A posterior both shifted and too wide, as an encoder's would be.
    weights = vae.log_weights(vae.mean + 0.2, 2 * vae.covariance, 4000, rng)
    nll = [metrics.importance_nll(weights[:, :k]).mean for k in (1, 5, 50, 4000)]
    assert nll == sorted(nll, reverse=True)
    assert nll[0] > vae.nll() + 0.1
    assert nll[-1] == pytest.approx(vae.nll(), abs=0.005)


def test_importance_nll_is_exact_under_the_true_posterior(rng):
    vae = LinearVAE.draw(rng)
    for k in (1, 7):
        weights = vae.log_weights(vae.mean, vae.covariance, k, rng)
        assert metrics.importance_nll(weights).mean == pytest.approx(vae.nll())


def test_importance_nll_of_one_draw_is_minus_the_elbo_in_expectation(rng):
    vae = LinearVAE.draw(rng, n=20_000)
    mean, variance = 0.8 * vae.mean, np.diag(vae.covariance)
    one = metrics.importance_nll(vae.log_weights(mean, np.diag(variance), 1, rng))

    # E_q of the squared error in closed form: at the mean, and what the posterior's spread adds.
    error = ((vae.x - mean @ vae.w.T - vae.b) ** 2).sum(1) + (vae.w**2 @ variance).sum()
    likelihood = metrics.gaussian_log_likelihood(error, vae.noise**2, pixels=len(vae.b))
    rate = metrics.rate(mean, np.broadcast_to(np.log(variance), mean.shape))
    elbo = metrics.elbo(likelihood, rate)
    assert one.mean == pytest.approx(-elbo, abs=4 * one.standard_error)
    assert -elbo > vae.nll()


def test_importance_nll_and_its_standard_error_by_hand():
    weights = np.log([[1.0, 3.0], [2.0, 6.0]]) - 10_000  # far below what exp can hold
    found = metrics.importance_nll(weights)
    assert found.mean == pytest.approx(10_000 - math.log(2 * 4) / 2)
    assert found.standard_error == pytest.approx(math.log(2) / 2)


def test_importance_nll_takes_a_draw_of_no_weight():
    half = metrics.importance_nll(np.array([[0, -math.inf], [0, -math.inf]]))
    assert half.mean == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    "weights",
    [
        np.zeros(5),
        np.zeros((1, 5)),
        np.zeros((5, 0)),
        np.full((2, 2), np.nan),
        np.full((2, 2), np.inf),
    ],
)
def test_importance_nll_refuses_what_are_no_weights(weights):
    with pytest.raises(ValueError, match="log_weights"):
        metrics.importance_nll(weights)


def test_bits_per_dimension():
    assert metrics.bits_per_dimension(784 * math.log(2)) == pytest.approx(1)
    assert metrics.bits_per_dimension(math.log(4), pixels=2) == pytest.approx(1)
    with pytest.raises(ValueError, match="pixels"):
        metrics.bits_per_dimension(1.0, pixels=0)


# What the latent knows of the digits


@pytest.fixture
def blobs(rng) -> tuple[np.ndarray, np.ndarray]:
    """Five clusters far apart in four dimensions, latents [1000, 4] and labels [1000]."""
    labels = np.arange(1000) % 5
    centers = 10 * np.eye(5)[:, :4]
    return centers[labels] + rng.normal(size=(1000, 4)), labels


@pytest.mark.parametrize("accuracy", [metrics.knn_accuracy, metrics.probe_accuracy])
def test_digits_far_apart_are_told_apart(accuracy, blobs):
    latents, labels = blobs
    assert accuracy(latents[:700], labels[:700], latents[700:], labels[700:]) == 100


@pytest.mark.parametrize("accuracy", [metrics.knn_accuracy, metrics.probe_accuracy])
def test_shuffled_labels_are_told_apart_by_chance(accuracy, blobs, rng):
    latents, labels = blobs[0], rng.permutation(blobs[1])
    found = accuracy(latents[:700], labels[:700], latents[700:], labels[700:])
    # 20% of 300, whose standard error is 2.3%.
    assert found == pytest.approx(20, abs=9)


def test_a_ring_around_its_centre_is_for_neighbours_not_for_planes(rng):
    labels = np.arange(1000) % 2
    angle = rng.uniform(0, 2 * math.pi, 1000)
    latents = (labels + 0.1)[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    split = latents[:700], labels[:700], latents[700:], labels[700:]
    assert metrics.knn_accuracy(*split) == 100
    assert metrics.probe_accuracy(*split) < 80


def test_the_probe_is_blind_to_the_scale_of_a_dimension(blobs, rng):
    latents, labels = blobs[0] + 3 * rng.normal(size=(1000, 4)), blobs[1]
    scaled = latents * [1e-4, 1, 1e3, 1] + [0, 50, 0, 0]
    plain, other = (
        metrics.probe_accuracy(x[:700], labels[:700], x[700:], labels[700:])
        for x in (latents, scaled)
    )
    assert other == pytest.approx(plain, abs=0.4)
    assert plain < 100


def test_a_collapsed_latent_tells_nothing():
    latents, labels = np.zeros((100, 2)), np.arange(100) % 2
    assert metrics.probe_accuracy(latents, labels, latents, labels) == 50
    assert metrics.silhouette(latents, labels) == 0
    assert metrics.active_units(latents) == 0


def test_knn_votes_among_k(rng):
    # One wrong neighbour at no distance, two right ones a little away.
    train, labels = np.array([[0.0], [1.0], [1.1], [9.0]]), np.array([3, 4, 4, 3])
    assert metrics.knn_accuracy(train, labels, np.zeros((1, 1)), np.array([4]), k=1) == 0
    assert metrics.knn_accuracy(train, labels, np.zeros((1, 1)), np.array([4]), k=3) == 100


@pytest.mark.parametrize(
    "change",
    [
        {"train": np.zeros((20, 3))},
        {"train": np.zeros(20)},
        {"train": np.full((20, 2), np.nan)},
        {"train_labels": np.zeros(19, int)},
        {"train_labels": np.zeros(20)},
        {"test_labels": np.zeros((5, 1), int)},
        {"test": np.zeros((0, 2)), "test_labels": np.zeros(0, int)},
    ],
)
@pytest.mark.parametrize("accuracy", [metrics.knn_accuracy, metrics.probe_accuracy])
def test_accuracies_refuse_arrays_that_do_not_fit(accuracy, change):
    good = {
        "train": np.arange(40.0).reshape(20, 2),
        "train_labels": np.arange(20) % 2,
        "test": np.ones((5, 2)),
        "test_labels": np.zeros(5, int),
    }
    accuracy(**good)
    with pytest.raises(ValueError, match=next(iter(change))):
        accuracy(**good | change)


@pytest.mark.parametrize("k", [0, 21])
def test_knn_refuses_k(k):
    points, labels = np.arange(20.0)[:, None], np.arange(20) % 2
    with pytest.raises(ValueError, match="k is"):
        metrics.knn_accuracy(points, labels, points, labels, k=k)


@pytest.mark.parametrize("n", [10, 64, 65, 300])
def test_silhouette_is_that_of_scikit_learn(n, rng):
    latents, labels = rng.normal(size=(n, 3)), np.arange(n) % 4 + 3
    labels[0] = 9  # alone in its group
    latents += labels[:, None]
    expected = sklearn.metrics.silhouette_score(latents, labels)
    assert metrics.silhouette(latents, labels) == pytest.approx(expected)


def test_silhouette_by_hand():
    # Within 1; to the other pair 10 and 9, or 9 and 8: b is 9.5 or 8.5 or their mirror image.
    points, labels = np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])
    assert metrics.silhouette(points, labels) == pytest.approx((8.5 / 9.5 + 7.5 / 8.5) / 2)
    assert metrics.silhouette(points, np.array([0, 1, 1, 0])) < 0
    with pytest.raises(ValueError, match="one class"):
        metrics.silhouette(points, np.zeros(4, int))
    with pytest.raises(ValueError, match="labels"):
        metrics.silhouette(points, np.zeros(3, int))


# Maps


def test_map_honesty_by_hand():
    latents = np.array([0.0, 1, 3, 7, 15])[:, None]
    places = np.array([15.0, 1, 3, 7, 0])[:, None]  # the ends have changed places
    # Nearest on the map, by its rank among the latents: 3, 4, 1, 1, 3; beyond 1 by 7 in all.
    found = metrics.map_honesty(latents, places, k=1)
    assert found.trustworthiness == pytest.approx(1 - 2 * 7 / (5 * 1 * (10 - 3 - 1)))
    assert found.preservation == pytest.approx(2 / 5)


@pytest.mark.parametrize(("n", "k"), [(64, 5), (65, 10), (400, 10), (21, 10)])
def test_map_honesty_is_that_of_scikit_learn(n, k, rng):
    latents = rng.normal(size=(n, 6))
    places = latents[:, :2] + 0.3 * rng.normal(size=(n, 2))
    found = metrics.map_honesty(latents, places, k)
    expected = sklearn.manifold.trustworthiness(latents, places, n_neighbors=k)
    assert found.trustworthiness == pytest.approx(expected, abs=1e-12)

    def nearest(x):
        distances = ((x[:, None] - x) ** 2).sum(-1) + np.diag(np.full(n, np.inf))
        return np.argsort(distances, axis=1)[:, :k]

    kept = [len(set(a) & set(b)) for a, b in zip(nearest(latents), nearest(places), strict=True)]
    assert found.preservation == pytest.approx(np.mean(kept) / k)


def test_a_true_map_is_honest_whatever_its_scale_and_a_random_one_is_not(rng):
    latents = rng.normal(size=(500, 2)).astype(np.float32)
    turn = np.array([[0, -1], [1, 0]], np.float32)
    assert metrics.map_honesty(latents, 8 * latents @ turn + 4) == (1, 1)
    found = metrics.map_honesty(latents, rng.normal(size=(500, 2)))
    assert found.trustworthiness == pytest.approx(0.5, abs=0.05)
    assert found.preservation == pytest.approx(10 / 500, abs=0.02)


def test_points_in_the_same_place_are_no_neighbours_of_themselves(rng):
    # 30 latents drawn on top of each other: more than the map's query for k + 1 returns.
    latents = np.concatenate([np.zeros((30, 3)), rng.normal(size=(70, 3)) + 5])
    assert metrics.map_honesty(latents, latents[:, :2], k=5).preservation > 30 / 100
    assert metrics.map_honesty(np.zeros((30, 3)), np.zeros((30, 2)), k=5) == (1, 1)


@pytest.mark.parametrize(
    ("latents", "places", "k"),
    [
        (np.eye(9), np.eye(9)[:8], 2),
        (np.eye(9), np.eye(9), 0),
        (np.eye(9), np.eye(9), 5),
        (np.eye(9), np.full((9, 2), np.nan), 2),
        (np.eye(9)[0], np.eye(9), 2),
    ],
)
def test_map_honesty_refuses_what_is_no_map(latents, places, k):
    metrics.map_honesty(np.eye(9), np.eye(9), 4)
    with pytest.raises(ValueError):
        metrics.map_honesty(latents, places, k)


# Samples


def with_moments(mean, covariance, n, rng) -> np.ndarray:
    """Features [n, F] whose sample mean and covariance are exactly these."""
    x = rng.normal(size=(n, len(mean)))
    x -= x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T)).T)
    return white @ np.linalg.cholesky(covariance).T + mean


def test_frechet_distance_in_closed_form(rng):
    mean, variance = np.array([1.0, -2, 0]), np.array([4.0, 1, 9])
    a = with_moments(np.zeros(3), np.diag([1.0, 1, 1]), 50, rng)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert metrics.frechet_distance(a, a + mean) == pytest.approx(5)
    # Diagonal covariances: the sum of (σ₁ - σ₂)² beside that of the means.
    b = with_moments(mean, np.diag(variance), 80, rng)
    assert metrics.frechet_distance(a, b) == pytest.approx(5 + 1 + 0 + 4)
    assert metrics.frechet_distance(b, a) == pytest.approx(10)


@pytest.mark.parametrize("n", [10, 200])
def test_frechet_distance_is_that_of_a_matrix_root(n, rng):
    """With 10 rows of 16 features the covariances are singular."""
    a = rng.normal(size=(n, 16)) @ rng.normal(size=(16, 16))
    b = rng.normal(size=(n, 16)) @ rng.normal(size=(16, 16)) + 1
    one, two = np.cov(a.T), np.cov(b.T)
    half = scipy.linalg.sqrtm(one + 1e-10 * np.eye(16)).real
    root = np.sqrt(np.linalg.eigvalsh(half @ two @ half).clip(0)).sum()
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected = shift + np.trace(one) + np.trace(two) - 2 * root
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_frechet_distance_is_exact_where_a_covariance_is_singular(rng):
    flat = with_moments(np.zeros(2), np.eye(2), 40, rng) @ np.array([[1.0, 0, 0], [0, 1, 0]])
    assert metrics.frechet_distance(flat, 3 * flat) == pytest.approx(2 * (3 - 1) ** 2)
    constant = np.ones((40, 3))
    assert metrics.frechet_distance(constant, constant) == 0
    assert metrics.frechet_distance(flat, constant) == pytest.approx(2 + 3)


def test_frechet_distance_keeps_its_digits_beside_a_large_mean(rng):
    features = rng.normal(size=(100, 8)).astype(np.float32)
    assert metrics.frechet_distance(features, features) == pytest.approx(0, abs=1e-10)
    far = features.astype(np.float64) + 1e5
    assert metrics.frechet_distance(far, far + 1) == pytest.approx(8)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((5, 3)), np.zeros((5, 2))),
        (np.zeros((1, 3)), np.zeros((5, 3))),
        (np.zeros(3), np.zeros((5, 3))),
        (np.zeros((5, 3)), np.full((5, 3), np.inf)),
    ],
)
def test_frechet_distance_refuses_what_are_no_features(a, b):
    with pytest.raises(ValueError, match=r"features|others"):
        metrics.frechet_distance(a, b)


def test_frechet_floor_compares_even_with_odd_rows(rng):
    even, odd = rng.normal(size=(2, 30, 4))
    woven = np.stack([even, odd], 1).reshape(60, 4)
    assert metrics.frechet_floor(woven) == metrics.frechet_distance(even, odd)
    # A drift along the rows, as in MNIST's test set, is not taken for a difference.
    drift = rng.normal(size=(2000, 4)) + np.linspace(0, 10, 2000)[:, None]
    assert metrics.frechet_floor(drift) < 0.5
    assert metrics.frechet_distance(drift[:1000], drift[1000:]) > 50


@pytest.mark.parametrize(
    ("predicted", "entropy"),
    [
        (np.arange(1000) % 10, math.log(10)),
        (np.arange(1000) % 2 * 7, math.log(2)),
        (np.full(5, 3), 0),
        (np.array([0, 0, 0, 9]), -0.75 * math.log(0.75) - 0.25 * math.log(0.25)),
    ],
)
def test_digit_entropy(predicted, entropy):
    found = metrics.digit_entropy(predicted)
    assert found == pytest.approx(entropy)
    assert math.copysign(1, found) == 1


@pytest.mark.parametrize(
    "predicted",
    [np.array([0, 10]), np.array([-1]), np.array([0.5]), np.zeros(0, int), np.eye(2, dtype=int)],
)
def test_digit_entropy_refuses_what_are_no_digits(predicted):
    with pytest.raises(ValueError, match="predicted"):
        metrics.digit_entropy(predicted)


def test_digits_kept():
    labels = np.array([7, 2, 1, 0])
    assert metrics.digits_kept(labels, labels) == 100
    assert metrics.digits_kept(np.array([7, 2, 7, 9]), labels) == 50
    with pytest.raises(ValueError, match="labels"):
        metrics.digits_kept(labels, labels[:3])
    with pytest.raises(ValueError, match="predicted"):
        metrics.digits_kept(labels / 1, labels)
