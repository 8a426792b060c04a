"""What a trained model is worth on the test set, as one nested mapping of numbers."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch

from mnist_vae import audit, metrics
from mnist_vae.files.store import Arrays
from mnist_vae.latents import views
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.params import Range


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateSettings:
    """How finely the likelihood is estimated: ``evaluate`` in params.yaml."""

    samples: Annotated[int, Range(1, 10_000)]
    """Latents drawn for each image; more of them bring the estimate down to the exact value."""
    images: Annotated[int, Range(2, 10_000)]
    """Test images that it is the mean of, spread evenly over the test set."""


class Draws(NamedTuple):
    """Latents drawn from the posterior of each image, by what the likelihood needs of them."""

    score: np.ndarray
    """[N, K], the squared error of the decoded latent; log p(x|z) of a Bernoulli decoder."""
    log_ratio: np.ndarray
    """[N, K], log p(z) - log q(z|x) in nats."""


def measure(
    vae: VAE,
    settings: ModelSettings,
    network: Classifier,
    latents: Arrays,
    maps: Arrays,
    images: np.ndarray,
    curve: Arrays,
    how: EvaluateSettings,
    seed: int,
) -> dict[str, Any]:
    """Measure a model: how it trained, and how it does on test images, uint8 [N, H, W].

    ``latents`` and ``maps`` are what views.explore and maps.project made of the same
    images, with the latents of training images beside them; ``curve`` the columns of the loss
    curve. Squared errors are summed over pixels, KL and likelihoods are in nats, all means over
    images. What a kind of model lacks is absent: an autoencoder has no rate, likelihood, audit and
    samples from a prior, a Bernoulli decoder no variance.
    """
    rng = np.random.default_rng(seed)
    mean, logvar, labels = latents["mean"], latents.get("logvar"), latents["labels"]
    pixels = images / np.float32(255)
    reconstructions = views.decode(vae, mean)
    last = {name: float(column[-1]) for name, column in curve.items()}
    distortion = metrics.distortion(pixels, reconstructions)
    found: dict[str, Any] = {
        "epochs": int(last.pop("epoch")),
        "parameters": sum(p.numel() for p in vae.parameters()),
        "train": {"loss_per_batch_of_512": 512 * last["loss"], **last},
        "distortion": {
            "squared_error": distortion.per_image,
            "per_pixel": distortion.per_pixel,
            "psnr": distortion.psnr,
        },
        "latent": {
            "knn_accuracy": metrics.knn_accuracy(
                latents["train_mean"], latents["train_labels"], mean, labels
            ),
            "probe_accuracy": metrics.probe_accuracy(
                latents["train_mean"], latents["train_labels"], mean, labels
            ),
            "silhouette": metrics.silhouette(mean, labels),
        },
        "map": metrics.map_honesty(mean, maps["map"])._asdict(),
        "pca": metrics.map_honesty(mean, maps["pca"])._asdict(),
    }
    prior = None
    if logvar is not None:
        drawn = views.decode(vae, views.sample(mean, logvar, rng))
        sampled = metrics.distortion(pixels, drawn)
        # Of the training set, like all that the decoder knows.
        variance = last["squared_error"] / pixels[0].size
        rates = metrics.rate(mean, logvar)
        found["distortion"]["squared_error_sampled"] = sampled.per_image
        found["rate"] = {
            "kl": float(rates.sum()),
            "active_units": metrics.active_units(mean),
            "per_dimension": rates.tolist(),
        }
        found["audit"] = audit_numbers(settings, sampled.per_pixel, float(rates.sum()), variance)
        chosen = np.linspace(0, len(images) - 1, min(how.images, len(images))).astype(int)
        found["likelihood"] = likelihood(
            vae, settings, pixels[chosen], mean[chosen], logvar[chosen], variance, how.samples, rng
        )
        noise = rng.standard_normal(mean.shape, dtype=np.float32)
        prior = views.decode(vae, noise)
    found["samples"] = sample_quality(network, images, labels, reconstructions, prior)
    return found


def likelihood(
    vae: VAE,
    settings: ModelSettings,
    pixels: np.ndarray,
    mean: np.ndarray,
    logvar: np.ndarray,
    variance: float,
    samples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """ELBO and importance-sampled NLL of pixels [N, H, W] in [0, 1], under what the model states.

    ``bernoulli`` states the cross-entropy; ``gaussian`` a variance that follows the error while it
    trains, so that the trained model's is ``variance``, the last training epoch's squared error
    per pixel. ``fixed`` states nothing, but its loss is, up to a constant, kl_weight times the
    negative ELBO of a Gaussian of variance kl_weight / 2: without a KL weight there is none.
    ``calibrated`` is the same model again with ``variance`` instead.

    Importance sampling draws from the model's own posterior. Where that is much narrower than the
    exact one, as beside the calibrated variance of a model trained with a weak KL, the NLL comes
    out too high: it is always a bound from above.
    """
    draws = draw(vae, settings, pixels, mean, logvar, samples, rng)
    rates = metrics.rate(mean, logvar)

    def under(variance: float | None) -> dict[str, float]:
        log_likelihood, about = draws.score, {}
        if variance is not None:
            flat = metrics.gaussian_log_likelihood(draws.score.ravel(), variance, pixels[0].size)
            log_likelihood, about = flat.reshape(draws.score.shape), {"variance": variance}
        nll = metrics.importance_nll(log_likelihood + draws.log_ratio)
        return {
            **about,
            "elbo": metrics.elbo(log_likelihood.mean(1), rates),
            "nll": nll.mean,
            "nll_standard_error": nll.standard_error,
            "bits_per_dimension": metrics.bits_per_dimension(nll.mean, pixels[0].size),
        }

    if settings.likelihood == "bernoulli":
        return under(None)
    if settings.likelihood == "gaussian":
        return under(variance)
    implied = audit.FIXED_VARIANCE * (settings.kl_weight or 0)
    return {**(under(implied) if implied else {}), "calibrated": under(variance)}


@torch.inference_mode()
def draw(
    vae: VAE,
    settings: ModelSettings,
    pixels: np.ndarray,
    mean: np.ndarray,
    logvar: np.ndarray,
    samples: int,
    rng: np.random.Generator,
) -> Draws:
    """Draw ``samples`` latents of each image's posterior [N, D] and decode them all."""
    where = vae.mean.weight.device
    score, log_ratio = np.empty((2, len(pixels), samples))
    for start in range(0, len(pixels), views.BATCH):
        rows = np.s_[start : start + views.BATCH]
        images = pixels[rows][:, None]
        center, spread = mean[rows].astype(np.float64), np.exp(0.5 * logvar[rows])
        for k in range(samples):
            noise = rng.standard_normal(center.shape)
            z = center + spread * noise
            # log N(z; 0, I) - log N(z; mean, exp(logvar)): their constants cancel.
            log_ratio[rows, k] = 0.5 * (noise**2 + logvar[rows] - z**2).sum(1)
            logits = vae.decoder(torch.from_numpy(z).float().to(where))
            if settings.likelihood == "bernoulli":
                score[rows, k] = metrics.bernoulli_log_likelihood(
                    images, logits.cpu().numpy(), logits=True
                )
            else:
                score[rows, k] = metrics.squared_error(images, logits.sigmoid().cpu().numpy())
    return Draws(score, log_ratio)


def audit_numbers(
    settings: ModelSettings, mean_squared_error: float, rate: float, variance: float
) -> dict[str, float]:
    """What the KL weight means: beta, variances and ratio of audit.py, those that apply.

    From the error per pixel with latents drawn from the posterior, the rate, and the variance of
    a calibrated decoder.
    """
    weight = settings.kl_weight or 0.0
    if settings.likelihood == "bernoulli":
        result = audit.audit_bernoulli(kl_weight=weight, rate=rate)
    else:
        result = audit.audit_gaussian(
            kl_weight=weight,
            mean_squared_error=mean_squared_error,
            rate=rate,
            variance=variance if settings.likelihood == "gaussian" else audit.FIXED_VARIANCE,
        )
    numbers = {
        "beta": result.effective_beta,
        "implied_variance": result.implied_variance,
        "calibrated_variance": result.calibrated_variance,
        "ratio": result.ratio,
    }
    return {name: number for name, number in numbers.items() if number is not None}


def sample_quality(
    network: Classifier,
    images: np.ndarray,
    labels: np.ndarray,
    reconstructions: np.ndarray,
    prior: np.ndarray | None,
) -> dict[str, float]:
    """What a digit classifier sees in reconstructions and in samples from the prior, if any.

    All are [N, H, W], as many of each. The Fréchet distances are of the features of this project's
    own classifier: they are not FID, whose features are Inception's, and cannot be compared with
    it, only with one another.
    """
    true, rebuilt = classify(network, images), classify(network, reconstructions)
    found = {}
    if prior is not None:
        sampled = classify(network, prior)
        found["frechet_prior"] = metrics.frechet_distance(true.features, sampled.features)
        found["digit_entropy"] = metrics.digit_entropy(sampled.digits)
    return {
        **found,
        "frechet_reconstructions": metrics.frechet_distance(true.features, rebuilt.features),
        "frechet_floor": metrics.frechet_floor(true.features),
        "digits_kept": metrics.digits_kept(rebuilt.digits, labels),
    }
