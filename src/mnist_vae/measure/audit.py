"""Is the KL of a VAE too weak or too strong? An answer in numbers and one sentence.

A squared error with a KL weight hides a Gaussian decoder of some variance. Set beside the variance
that the decoder's own error shows, it tells what the weight really asks for.
"""

from __future__ import annotations

import dataclasses
import math

COLLAPSED = 0.1
"""Nats per image below which a latent carries next to nothing; telling ten digits takes 2.3."""
BALANCED = 2.0
"""Factor by which the KL may be too weak or too strong and still count as balanced."""
AUTOENCODER = 10.0
"""Factor from which a weak KL leaves little but an autoencoder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KLAudit:
    """What a KL weight means for the decoder that was trained with it."""

    effective_beta: float
    """Weight of the KL beside ½·SSE (a Gaussian of variance 1) or the Bernoulli log-likelihood."""
    implied_variance: float | None
    """Variance per pixel of the Gaussian decoder whose ELBO the loss is; None for Bernoulli."""
    calibrated_variance: float | None
    """Variance per pixel that the decoder's error shows; None for Bernoulli."""
    ratio: float | None
    """How many times weaker the KL is than it should be; None for a KL without weight."""
    sentence: str
    """The finding, for a person to read."""


def audit_gaussian(
    *, kl_weight: float, mean_squared_error: float, rate: float | None, variance: float
) -> KLAudit:
    """Judge a model trained on SSE / (2·variance) + kl_weight · KL, all per image.

    A variance of ½ is that of the loss SSE + kl_weight · KL; a calibrated decoder passes its own,
    and 1 (or its β) as the weight. Scaled to weight 1, the loss is the negative ELBO of a Gaussian
    decoder of variance kl_weight · variance. The decoder's error, the mean squared error per pixel
    with z drawn from the posterior, is the variance of highest likelihood (Rybkin, Daniilidis &
    Levine 2021). Calibrated over implied variance is how many times weaker the KL is than in the
    ELBO of that decoder. ``rate`` is the KL in nats per image; where it is not known,
    nothing is said of a collapse.

    Raises ValueError for a negative or not finite number, or an error or variance of 0.
    """
    _check(kl_weight=kl_weight, rate=rate or 0.0)
    _check(mean_squared_error=mean_squared_error, variance=variance, above=True)
    implied = kl_weight * variance
    ratio = mean_squared_error / implied if implied else None
    return KLAudit(
        effective_beta=implied,
        implied_variance=implied,
        calibrated_variance=mean_squared_error,
        ratio=ratio,
        sentence=_sentence(ratio, rate, "this decoder's error calls for"),
    )


def audit_bernoulli(*, kl_weight: float, rate: float | None) -> KLAudit:
    """Judge a model trained on binary cross-entropy + kl_weight · KL, summed per image.

    A Bernoulli decoder has no variance to set: its ELBO has the KL weight 1, and 1 / kl_weight is
    how many times weaker the KL is. ``rate`` is the KL in nats per image, if it is known.

    Raises ValueError for a negative or not finite number.
    """
    _check(kl_weight=kl_weight, rate=rate or 0.0)
    ratio = 1 / kl_weight if kl_weight else None
    return KLAudit(
        effective_beta=kl_weight,
        implied_variance=None,
        calibrated_variance=None,
        ratio=ratio,
        sentence=_sentence(ratio, rate, "a Bernoulli decoder calls for"),
    )


def _sentence(ratio: float | None, rate: float | None, reference: str) -> str:
    if ratio is None:
        weight = "KL has no weight"
    elif (times := _times(max(ratio, 1 / ratio))) == "1.0 times":
        weight = f"KL has the weight that {reference}"
    else:
        weight = f"KL is {times} {'weaker' if ratio > 1 else 'stronger'} than {reference}"
    # The rate bounds what the latent tells about the image from above.
    if rate is not None and rate < COLLAPSED:
        return (
            f"The posterior is all but the prior: the latent carries less than {COLLAPSED:g} nats "
            f"about an image, next to nothing; {weight}."
        )
    if ratio is None or ratio >= AUTOENCODER:
        finding = "nearly an autoencoder, with little to draw its latents to the prior"
    elif ratio > BALANCED:
        finding = "it favours reconstructions over samples from the prior"
    elif ratio >= 1 / BALANCED:
        finding = "reconstruction and prior are balanced"
    else:
        finding = "it gives up detail in reconstructions to keep the latents near the prior"
    return f"{weight}: {finding}."


def _times(factor: float) -> str:
    """A factor of at least 1 in two digits: ``1.4 times``, ``130 times``."""
    if factor >= 1e6:
        return "over a million times"
    rounded = float(f"{factor:.2g}")
    return f"{rounded:.1f} times" if rounded < 10 else f"{rounded:,.0f} times"


def _check(above: bool = False, **numbers: float) -> None:
    for name, number in numbers.items():
        if not math.isfinite(number) or number < 0 or (above and number == 0):
            raise ValueError(f"{name} is {number}, must be {'above' if above else 'at least'} 0")
