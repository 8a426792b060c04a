"""What a trained VAE is worth, in numbers: functions of arrays that know no model and no torch.

Likelihoods and rates are in nats per image, percentages say so, and every sum runs in float64.
An array that cannot be meant (a wrong shape, a NaN, pixels in 0 to 255) raises ValueError.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist
from scipy.special import logsumexp, xlog1py, xlogy

PIXELS = 28 * 28
_ROWS = 64  # rows of distances held at once: 5 MB of them for 10,000 points, about a cache


class Distortion(NamedTuple):
    """How far reconstructions are from their images, averaged over images."""

    per_image: float
    """Squared error summed over pixels."""
    per_pixel: float
    """Mean squared error; also the variance at which a Gaussian decoder is calibrated."""
    psnr: float
    """Peak signal-to-noise ratio in dB; infinite without any error."""


class Estimate(NamedTuple):
    """A mean over images and the standard error of that mean."""

    mean: float
    standard_error: float


class Honesty(NamedTuple):
    """How far a map can be believed about who is near whom; both at most 1."""

    trustworthiness: float
    """1 when no neighbour on the map is a stranger, about 0.5 for a random map."""
    preservation: float
    """Fraction of the k nearest neighbours that are the same on the map; random: k / N."""


# Reconstruction, rate and likelihood


def squared_error(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Squared error summed over the pixels of each image, [N].

    Both are [N, 784] or [N, 28, 28] (any shape after N), the images in [0, 1]. It is what the
    notebook trains on, so its own figures can be set beside it.
    """
    x, y = _pixels(images, reconstructions)
    difference = x - y
    return np.asarray(np.einsum("np,np->n", difference, difference))


def distortion(images: np.ndarray, reconstructions: np.ndarray) -> Distortion:
    """Squared error per image and per pixel, and its PSNR for pixels that peak at 1.

    PSNR is taken from the mean squared error of all images, not averaged over images: one image
    that is reproduced almost exactly would decide that average.
    """
    errors = squared_error(images, reconstructions)
    per_image = float(errors.mean())
    per_pixel = per_image * len(errors) / np.size(images)
    return Distortion(per_image, per_pixel, -10 * math.log10(per_pixel) if per_pixel else math.inf)


def rate(mean: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """KL(N(mean, exp(logvar)) ‖ N(0, I)) of each dimension in nats, averaged over images, [D].

    From posteriors [N, D] (Kingma & Welling 2014, appendix B). Its sum is the rate per image: a
    bound from above on what the latent tells about the image (Alemi et al. 2018).
    """
    m, v = _table("mean", mean), _table("logvar", logvar)
    if m.shape != v.shape:
        raise ValueError(f"mean is {m.shape} and logvar {v.shape}, must be the same")
    # expm1: near the prior, exp(v) - 1 would lose the digits that are left of v.
    return np.asarray(0.5 * (m**2 + np.expm1(v) - v).mean(0))


def active_units(mean: np.ndarray, threshold: float = 0.01) -> int:
    """Number of latent dimensions in use: those whose posterior mean [N, D] varies with the image.

    A unit is active when the variance of its mean over the data is above 0.01 (Burda, Grosse &
    Salakhutdinov 2016, who find active and inactive units far apart, so that the threshold matters
    little). A collapsed dimension repeats the prior for every image and counts for nothing.
    """
    return int((_table("mean", mean).var(0) > threshold).sum())


def gaussian_log_likelihood(
    squared_error: np.ndarray, variance: float, pixels: int = PIXELS
) -> np.ndarray:
    """log N(x; reconstruction, variance · I) in nats, from squared errors per image [N], [N].

    The variance that maximizes its mean is the mean squared error per pixel, ``per_pixel`` of
    ``distortion``: the calibrated decoder of Rybkin, Daniilidis & Levine (2021). A model trained
    on SSE + w·KL = w·(SSE / w + KL) has, up to scale, the ELBO of the variance w / 2.

    It is a density over real pixels, so it may well be positive.
    """
    errors = _row("squared_error", squared_error)
    if not (math.isfinite(variance) and variance > 0):
        raise ValueError(f"variance is {variance}, must be a finite number above 0")
    return -0.5 * (errors / variance + pixels * math.log(2 * math.pi * variance))


def bernoulli_log_likelihood(images: np.ndarray, output: np.ndarray, *, logits: bool) -> np.ndarray:
    """Binary cross-entropy with its sign turned, Σ x·log p + (1 - x)·log(1 - p), in nats, [N].

    ``images`` [N, ...] in [0, 1]; ``output`` holds logits or, with ``logits=False``, probabilities,
    where p of exactly 0 or 1 that the image contradicts gives -inf: prefer logits. Gray pixels
    make it a usual score rather than a log-likelihood, for e^score does not integrate to 1
    (Loaiza-Ganem & Cunningham 2019): compare it with other Bernoulli models only.
    """
    x, p = _pixels(images, output)
    if logits:
        return np.asarray((x * p - np.logaddexp(0, p)).sum(1))
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"probabilities are in {p.min():g} to {p.max():g}, must be in 0 to 1")
    return np.asarray((xlogy(x, p) + xlog1py(1 - x, -p)).sum(1))


def elbo(log_likelihood: np.ndarray, rate: np.ndarray) -> float:
    """Evidence lower bound in nats per image (Kingma & Welling 2014).

    From log p(x|z) of one z drawn from each image's posterior [N] (at the posterior mean it is no
    bound), and the rate of each dimension [D].
    """
    return float(_row("log_likelihood", log_likelihood).mean() - _row("rate", rate).sum())


def importance_nll(log_weights: np.ndarray) -> Estimate:
    """Negative log-likelihood in nats per image, by importance sampling from the posterior.

    ``log_weights`` [N, K] are log p(x|z) + log p(z) - log q(z|x) for K draws z ~ q(z|x) of each
    image. Minus the log of their mean is the ELBO at K = 1 and falls in expectation to the exact
    value as K grows (Burda et al. 2016, theorem 1), so it can only make a model look worse than it
    is. The standard error is over images and says nothing of that bias: raise K until it stays.
    """
    weights = np.asarray(log_weights, np.float64)
    if weights.ndim != 2 or weights.shape[0] < 2 or weights.shape[1] < 1:
        raise ValueError(f"log_weights is {weights.shape}, must be [N, K] with N at least 2")
    if not (weights < math.inf).all():
        raise ValueError("log_weights has a NaN or +inf")
    nll = math.log(weights.shape[1]) - logsumexp(weights, axis=1)
    return Estimate(float(nll.mean()), float(nll.std(ddof=1) / math.sqrt(len(nll))))


def bits_per_dimension(nats: float, pixels: int = PIXELS) -> float:
    """Nats per image as bits per pixel, nats / (pixels · ln 2), of a density over [0, 1]^pixels.

    Mind that MNIST has 256 levels. Only where the density was measured on dequantized pixels,
    (level + u) / 256 with u uniform in [0, 1), does adding 8 = log2 256 bound the bits of the
    levels from above (Theis, van den Oord & Bethge 2016). Without that noise a density may grow
    without limit on the levels: the number then ranks models of the same pixels, no more.
    """
    if pixels < 1:
        raise ValueError(f"pixels is {pixels}, must be at least 1")
    return nats / (pixels * math.log(2))


# What the latent knows of the digits


def knn_accuracy(
    train: np.ndarray,
    train_labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    k: int = 5,
) -> float:
    """Percentage of test latents [M, D] that the vote of k training latents [N, D] labels rightly.

    Asks whether digits lie apart in the latent's own geometry, whatever their shape, as a map of
    it would show. Exact neighbours. k = 5 is the usual choice; where digits overlap, as in a 2-d
    latent, a larger k scores a little more, so compare models at the same k.
    """
    from sklearn.neighbors import KNeighborsClassifier

    a, a_labels, b, b_labels = _split(train, train_labels, test, test_labels)
    if not 1 <= k <= len(a):
        raise ValueError(f"k is {k}, must be from 1 to the {len(a)} training latents")
    return _percent(KNeighborsClassifier(k).fit(a, a_labels).predict(b), b_labels)


def probe_accuracy(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> float:
    """Percentage of test latents [M, D] labelled rightly by a linear probe of training ones [N, D].

    Multinomial logistic regression (Alain & Bengio 2017) on latents standardized by the training
    set, so that a dimension counts by what it tells and not by its scale. Where kNN succeeds and
    the probe fails, digits lie apart but no planes part them.
    """
    from sklearn.linear_model import LogisticRegression

    a, a_labels, b, b_labels = _split(train, train_labels, test, test_labels)
    center, scale = a.mean(0), a.std(0)
    scale[scale == 0] = 1
    probe = LogisticRegression(max_iter=1000).fit((a - center) / scale, a_labels)
    return _percent(probe.predict((b - center) / scale), b_labels)


def silhouette(latents: np.ndarray, labels: np.ndarray) -> float:
    """Mean silhouette of latents [N, D] grouped by label [N], from -1 to 1 (Rousseeuw 1987).

    For each point (b - a) / max(a, b), with a its mean distance to its own group and b to the
    nearest other: above 0 where digits form compact clusters. Stricter than kNN, which a long
    thin cluster satisfies too. Exact: all N² distances, a few rows at a time.
    """
    points, labels = _table("latents", latents), _labels("labels", labels, len(latents))
    classes, own = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("labels has one class, a silhouette needs at least 2")
    members = np.eye(len(classes))[own]
    counts = members.sum(0)
    total = 0.0
    for start in range(0, len(points), _ROWS):
        rows = np.s_[start : start + _ROWS]
        sums = cdist(points[rows], points) @ members
        mine = members[rows].astype(bool)
        others = counts[own[rows]] - 1
        within = sums[mine] / np.maximum(others, 1)
        nearest = np.where(mine, math.inf, sums / counts).min(1)
        larger = np.maximum(within, nearest)
        good = (others > 0) & (larger > 0)  # a point alone or on top of all others scores 0
        total += float(((nearest - within)[good] / larger[good]).sum())
    return total / len(points)


def map_honesty(latents: np.ndarray, points: np.ndarray, k: int = 10) -> Honesty:
    """Trustworthiness (Venna & Kaski 2001) and neighbour preservation of a map of latents.

    ``latents`` [N, D] and their places ``points`` [N, 2]; k nearest neighbours, below N / 2.
    Trustworthiness charges each neighbour on the map by how far beyond rank k it is among the
    latents, and forgives small slips; preservation counts how many of the k are truly among the
    k nearest (Lee & Verleysen 2009). What one sees as together on the map is what they test.

    Exact: all N² distances, a few rows at a time. Equally distant points share the better rank.
    """
    high, low = _table("latents", latents), _table("points", points)
    n = len(high)
    if len(low) != n:
        raise ValueError(f"{n} latents but {len(low)} points on the map, must be as many")
    if not 1 <= k < n / 2:
        raise ValueError(f"k is {k}, must be at least 1 and below half of the {n} points")
    ranks = _latent_ranks(high, _nearest(low, k))
    excess = float(np.maximum(ranks - k, 0).sum())
    trust = 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))
    return Honesty(trust, float((ranks <= k).mean()))


def _nearest(points: np.ndarray, k: int) -> np.ndarray:
    """Indices [N, k] of the k nearest others of each point."""
    found: np.ndarray = np.asarray(KDTree(points).query(points, k + 1)[1])
    self = found == np.arange(len(points))[:, None]
    self[~self.any(1), -1] = True  # crowded out by points in the same place: drop the last instead
    return np.reshape(found[~self], (-1, k))


def _latent_ranks(latents: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """How near each of ``neighbours`` [N, k] is among the latents: 1 for the nearest, [N, k]."""
    ranks = np.empty(neighbours.shape, np.int64)
    for start in range(0, len(latents), _ROWS):
        block = neighbours[start : start + _ROWS]
        distances = cdist(latents[start : start + _ROWS], latents, "sqeuclidean")
        row = np.arange(len(block))
        reach = distances[row[:, None], block]
        distances[row, start + row] = math.inf
        for j in range(block.shape[1]):
            nearer = np.count_nonzero(distances < reach[:, j, None], axis=1)
            ranks[start : start + _ROWS, j] = nearer + 1
    return ranks


# Samples and reconstructions as a digit classifier sees them


def frechet_distance(features: np.ndarray, others: np.ndarray) -> float:
    """Squared Fréchet distance of two feature sets, [N, F] and [M, F], taken as Gaussian.

    |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2·(Σ₁Σ₂)^½), the formula of the FID (Heusel et al. 2017), and like it
    blind to what differs beyond mean and covariance. Features of another network than
    Inception's give another scale. Fewer rows give a larger distance: compare equal counts, and
    see ``frechet_floor``.

    With Σ = RᵀR, the trace of the root is the sum of the singular values of R₁R₂ᵀ: no matrix root,
    and as exact for singular covariances.
    """
    a, b = _table("features", features), _table("others", others)
    if a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features are {a.shape} and {b.shape}, must be as wide and have at least 2 rows"
        )
    ra, rb = _covariance_factor(a), _covariance_factor(b)
    shift = ((a.mean(0) - b.mean(0)) ** 2).sum()
    shared = np.linalg.svd(ra @ rb.T, compute_uv=False).sum()
    return max(0.0, float(shift + (ra**2).sum() + (rb**2).sum() - 2 * shared))


def _covariance_factor(features: np.ndarray) -> np.ndarray:
    """An upper triangular R whose RᵀR is the covariance of features [N, F]."""
    scaled = (features - features.mean(0)) / math.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(scaled, mode="r"))


def frechet_floor(features: np.ndarray) -> float:
    """Fréchet distance of the even from the odd rows of real features [N, F]: chance alone.

    What real images score as samples, N / 2 against N / 2; reconstructions may score less, being
    of the very images that they are compared with. Rows alternate because the first half of
    MNIST's test set is known to be cleaner than the second.
    """
    return frechet_distance(features[::2], features[1::2])


def digit_entropy(predicted: np.ndarray, classes: int = 10) -> float:
    """Entropy in nats of the histogram of digits predicted for samples [N].

    ln 10 = 2.30 when all come equally often, 0 when samples show one digit: mode collapse, which
    the classifier's confidence in each single sample would not show.
    """
    labels = _labels("predicted", predicted, np.size(predicted))
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"predicted is in {labels.min()} to {labels.max()}, not {classes} classes")
    part = np.bincount(labels, minlength=classes) / len(labels)
    return max(0.0, -float(xlogy(part, part).sum()))


def digits_kept(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Percentage of reconstructions whose predicted digit [N] is the true label of the image [N].

    Against the label, not against the prediction for the image: a digit that was misread before
    and after is not kept. The classifier's own accuracy on the images is what to hold it against.
    """
    found = _labels("predicted", predicted, np.size(predicted))
    return _percent(found, _labels("labels", labels, len(found)))


# Checks


def _table(name: str, array: np.ndarray) -> np.ndarray:
    return _finite(name, array, 2, "[rows, columns]")


def _row(name: str, array: np.ndarray) -> np.ndarray:
    return _finite(name, array, 1, "[N]")


def _finite(name: str, array: np.ndarray, ndim: int, shape: str) -> np.ndarray:
    values = np.asarray(array, np.float64)
    if values.ndim != ndim or not values.size:
        raise ValueError(f"{name} is {values.shape}, must be {shape} and not empty")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has a NaN or an infinity")
    return values


def _pixels(images: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64 [N, pixels], after the checks."""
    if images.ndim < 2 or not images.size or len(images) != len(output):
        raise ValueError(f"images are {images.shape} and output {output.shape}, must be [N, ...]")
    x, y = (_table("pixels", a.reshape(len(a), -1)) for a in (images, output))
    if x.shape != y.shape:
        raise ValueError(f"images have {x.shape[1]} pixels, output has {y.shape[1]}")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"images are in {x.min():g} to {x.max():g}, must be in 0 to 1")
    return x, y


def _labels(name: str, labels: np.ndarray, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or not count or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{name} is {labels.dtype} {labels.shape}, must be {count} whole numbers")
    return labels


def _split(
    train: np.ndarray, train_labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    a, b = _table("train", train), _table("test", test)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"train is {a.shape} and test {b.shape}, must be as wide")
    a_labels = _labels("train_labels", train_labels, len(a))
    return a, a_labels, b, _labels("test_labels", test_labels, len(b))


def _percent(found: np.ndarray, true: np.ndarray) -> float:
    return 100 * np.count_nonzero(found == true) / len(true)
