"""What a trained model is worth on the test set, as one nested mapping of numbers."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.files.store import Arrays
from mnist_vae.latents.codes import decode
from mnist_vae.latents.posteriors import Posterior, sample
from mnist_vae.measure import audit, proposal
from mnist_vae.measure.dataset import neighbours
from mnist_vae.measure.distortion import distortion
from mnist_vae.measure.likelihood import bits_per_dimension, elbo, importance_nll
from mnist_vae.measure.maps import map_quality
from mnist_vae.measure.rate import active, rate
from mnist_vae.measure.separability import knn_accuracy, probe_accuracy, silhouette
from mnist_vae.nets.devices import BATCH
from mnist_vae.nets.likelihood import KINDS, Likelihood
from mnist_vae.nets.model import ModelSettings
from mnist_vae.nets.vae import VAE
from mnist_vae.settings import Settings

ELBO_DRAWS = 10
"""Latents drawn of each image for the ELBO, at most: an average over images needs few."""
PROPOSAL_STEPS = 6
"""Steps in which proposals are fitted; more raise the effective sample size little."""


class EvaluateSettings(Settings, frozen=True, kw_only=True):
    """How finely the likelihood is estimated: ``evaluate`` in params.yaml."""

    samples: Annotated[int, Meta(ge=1, le=10_000)]
    """Latents drawn for each image; more of them bring the estimate down to the exact value.

    With fewer than likelihood.MIN_EFFECTIVE no NLL is stated.
    """
    images: Annotated[int, Meta(ge=2, le=1_000_000)]
    """Test images that it is the mean of, spread evenly over the test set, or all there are."""


class Trained(NamedTuple):
    """A model as its training left it."""

    network: VAE
    settings: ModelSettings
    curve: Arrays
    """The columns of its loss curve."""

    @property
    def likelihood(self) -> Likelihood:
        """What its decoder says of an image."""
        return KINDS[self.settings.likelihood]


def measure(
    model: Trained,
    images: np.ndarray,
    latents: Arrays,
    maps: Arrays,
    *,
    settings: EvaluateSettings,
    seed: int,
) -> dict[str, Any]:
    """Measure a model: how it trained, and how it does on test images, uint8 [N, C, H, W].

    ``latents`` and ``maps`` are what views.explore and maps.project made of the same images, with
    the latents of training images beside them. Squared errors are summed over pixels, KL and
    likelihoods are in nats, all means over images. What a kind of model lacks is absent: an
    autoencoder has no rate, likelihood and audit, a Bernoulli decoder no variance. Images without
    labels have no classes that latents could tell apart.
    """
    rng = seeds.stream(seed, "evaluate")
    posterior = Posterior(latents["mean"], latents.get("logvar"))
    mean, labels = latents["mean"], latents.get("labels")
    pixels = images / np.float32(255)
    reconstructions = decode(model.network, mean)
    last = {name: float(column[-1]) for name, column in model.curve.items()}
    error = distortion(pixels, reconstructions)
    k = neighbours(len(mean))
    measured: dict[str, Any] = {
        "epochs": int(last.pop("epoch")),
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "train": {"loss_per_batch_of_512": 512 * last["loss"], **last},
        "distortion": {
            "squared_error": error.per_image,
            "per_pixel": error.per_pixel,
            "psnr": error.psnr,
        },
        **({} if labels is None else {"latent": class_separation(latents)}),
        "map": map_quality(mean, maps["map"], k)._asdict(),
        "pca": map_quality(mean, maps["pca"], k)._asdict(),
    }
    if posterior.logvar is not None:
        sampled = distortion(pixels, decode(model.network, sample(*posterior, rng)))
        # Of the training set, like all that the decoder knows.
        variance = last["squared_error"] / pixels[0].size
        rates = rate(mean, posterior.logvar)
        measured["distortion"]["squared_error_sampled"] = sampled.per_image
        measured["rate"] = {
            "kl": float(rates.sum()),
            "active_units": int(active(mean).sum()),
            "per_dimension": rates.tolist(),
        }
        measured["audit"] = audit_numbers(model, sampled.per_pixel, float(rates.sum()), variance)
        chosen = np.linspace(0, len(images) - 1, min(settings.images, len(images))).astype(int)
        few = Posterior(mean[chosen], posterior.logvar[chosen])
        measured["likelihood"] = likelihood(
            model, pixels[chosen], few, variance=variance, samples=settings.samples, seed=seed
        )
    return measured


def class_separation(latents: Arrays) -> dict[str, float]:
    """How well the latents of test images keep their classes apart."""
    training = latents["train_mean"], latents["train_labels"]
    test = latents["mean"], latents["labels"]
    return {
        "knn_accuracy": knn_accuracy(*training, *test),
        "probe_accuracy": probe_accuracy(*training, *test),
        "silhouette": silhouette(*test),
    }


def likelihood(
    model: Trained,
    pixels: np.ndarray,
    posterior: Posterior,
    *,
    variance: float,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    """ELBO and importance-sampled NLL of pixels [N, C, H, W] in [0, 1], as the model states it.

    ``variance`` is the squared error per pixel of the last training epoch. What a model states, and
    under which other variance it is measured too, its likelihood says (see nets.likelihood): its
    own stands at the top, others under their name.

    The NLL is by importance sampling from a proposal fitted to each image under the variance in
    question (see measure.proposal). It is a bound from above: at most that. Where too few draws
    count for it, it is absent, and ``effective_samples`` says so.
    """
    assert posterior.logvar is not None
    variances = model.likelihood.variances(model.settings.kl_weight or 0.0, variance)
    rates, size = rate(posterior.mean, posterior.logvar), pixels[0].size
    device = model.network.mean.weight.device
    images, start = torch.from_numpy(pixels), torch.from_numpy(posterior.mean)

    @torch.inference_mode()
    def logits(z: torch.Tensor) -> torch.Tensor:
        return model.network.logits(z.to(device)).cpu()

    def log_likelihood(z: np.ndarray, stated: float | None) -> np.ndarray:
        parts = zip(torch.from_numpy(z).split(BATCH), images.split(BATCH), strict=True)
        each = [model.likelihood.log_probability(x, logits(some), stated) for some, x in parts]
        return torch.cat(each).numpy()

    # The same draws under every variance.
    rng = seeds.stream(seed, "ELBO")
    draws = [sample(*posterior, rng) for _ in range(min(samples, ELBO_DRAWS))]

    def under(name: str) -> dict[str, float]:
        stated = variances[name]
        model_of = logits, model.likelihood, images
        fitted = proposal.fit(*model_of, start, variance=stated, steps=PROPOSAL_STEPS)
        generator = torch.Generator().manual_seed(seeds.number(seed, "NLL"))
        nll = importance_nll(
            proposal.log_weights(
                fitted, *model_of, variance=stated, draws=samples, generator=generator
            )
        )
        measured = {} if stated is None else {"variance": stated}
        measured["elbo"] = elbo(np.mean([log_likelihood(z, stated) for z in draws], 0), rates)
        measured["effective_samples"] = nll.effective
        if nll.stands:
            measured["nll"] = nll.mean
            measured["nll_standard_error"] = nll.standard_error
            measured["bits_per_dimension"] = bits_per_dimension(nll.mean, size)
        return measured

    own = under("own") if "own" in variances else {}
    return {**own, **{name: under(name) for name in variances if name != "own"}}


def audit_numbers(
    model: Trained, mean_squared_error: float, rate: float, variance: float
) -> dict[str, float]:
    """What the KL weight means: beta, variances and ratio of ``measure.audit``, those that apply.

    From the error per pixel with latents drawn from the posterior, the rate, and the variance of
    the last training epoch.
    """
    weight = model.settings.kl_weight or 0.0
    in_loss = model.likelihood.variance_in_loss(variance)
    if in_loss is None:
        result = audit.audit_bernoulli(kl_weight=weight, rate=rate)
    else:
        result = audit.audit_gaussian(
            kl_weight=weight, mean_squared_error=mean_squared_error, rate=rate, variance=in_loss
        )
    numbers = {
        "beta": result.effective_beta,
        "implied_variance": result.implied_variance,
        "calibrated_variance": result.calibrated_variance,
        "ratio": result.ratio,
    }
    return {name: number for name, number in numbers.items() if number is not None}
