"""How probable images are under a model: likelihoods and their bounds, in nats per image.

Every sum runs in float64. An array that cannot be meant, of a wrong shape or with a NaN, raises
ValueError.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from mnist_vae.measure import checks


class Estimate(NamedTuple):
    """A mean over images and the standard error of that mean."""

    mean: float
    standard_error: float


def elbo(log_likelihood: np.ndarray, rate: np.ndarray) -> float:
    """Evidence lower bound in nats per image (Kingma & Welling 2014).

    From the mean of log p(x|z) over draws from each image's posterior [N] (at the posterior mean it
    is no bound), and the rate of each dimension [D].
    """
    return float(
        checks.vector("log_likelihood", log_likelihood).mean() - checks.vector("rate", rate).sum()
    )


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


def bits_per_dimension(nats: float, pixels: int) -> float:
    """Nats per image as bits per pixel, nats / (pixels · ln 2), of a density over [0, 1]^pixels.

    Mind that pixels have 256 levels. Only where the density was measured on dequantized pixels,
    (level + u) / 256 with u uniform in [0, 1), does adding 8 = log2 256 bound the bits of the
    levels from above (Theis, van den Oord & Bethge 2016). Without that noise a density may grow
    without limit on the levels: the number then ranks models of the same pixels, no more.
    """
    if pixels < 1:
        raise ValueError(f"pixels is {pixels}, must be at least 1")
    return nats / (pixels * math.log(2))
