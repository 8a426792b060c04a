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

MIN_EFFECTIVE = 5.0
"""Draws that have to count, in half of the images, for an NLL to be stated.

Where n of the draws count, the log of their mean is about 1 / (2 n) nats too low (its variance is
about 1 / n): 0.1 nats at 5. Where 1 or 2 count, nothing is known of what was never drawn.
"""


class Estimate(NamedTuple):
    """A mean over images, the standard error of that mean, and what it rests on."""

    mean: float
    standard_error: float
    effective: float
    """Effective sample size of an image, the median over images: from 1 to the draws."""

    @property
    def stands(self) -> bool:
        """Whether enough draws count for the mean to be stated."""
        return self.effective >= MIN_EFFECTIVE


def elbo(log_likelihood: np.ndarray, rate: np.ndarray) -> float:
    """Evidence lower bound in nats per image (Kingma & Welling 2014).

    From the mean of log p(x|z) over draws from each image's posterior [N] (at the posterior mean it
    is no bound), and the rate of each dimension [D].
    """
    return float(
        checks.vector("log_likelihood", log_likelihood).mean() - checks.vector("rate", rate).sum()
    )


def importance_nll(log_weights: np.ndarray) -> Estimate:
    """Negative log-likelihood in nats per image, by importance sampling.

    ``log_weights`` [N, K] are log p(x|z) + log p(z) - log q(z|x) for K draws z ~ q(z|x) of each
    image, whatever q is: the encoder's posterior, or what ``measure.proposal`` fits. Minus the log
    of their mean falls in expectation to the exact value as K grows (Burda et al. 2016, theorem
    1), so it can only make a model look worse than it is: the NLL is at most this. From the
    encoder, at K = 1, it is minus the ELBO.

    The standard error is over images and says nothing of that bias. The effective sample size,
    (Σ w)² / Σ w² (Kong 1992), does: where few draws count, the best ones are missing.
    """
    weights = np.asarray(log_weights, np.float64)
    if weights.ndim != 2 or weights.shape[0] < 2 or weights.shape[1] < 1:
        raise ValueError(f"log_weights is {weights.shape}, must be [N, K] with N at least 2")
    if not (weights < math.inf).all():
        raise ValueError("log_weights has a NaN or +inf")
    nll = math.log(weights.shape[1]) - logsumexp(weights, axis=1)
    counts = np.exp(2 * logsumexp(weights, axis=1) - logsumexp(2 * weights, axis=1))
    error = float(nll.std(ddof=1) / math.sqrt(len(nll)))
    return Estimate(float(nll.mean()), error, float(np.median(counts)))


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
