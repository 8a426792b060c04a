"""What a study measures of each model: numbers with a name, some of them on a stated subset.

Each group of ``GROUPS`` draws from a stream of its own, so that one may be left out or added
without a change in the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple, TypeAlias

import numpy as np
from msgspec import Meta

from mnist_vae import seeds
from mnist_vae.files.store import Arrays
from mnist_vae.latents import priors
from mnist_vae.latents.codes import decode, encode
from mnist_vae.latents.posteriors import Posterior, sample
from mnist_vae.measure import evaluate
from mnist_vae.measure.distortion import distortion
from mnist_vae.measure.evaluate import Trained
from mnist_vae.measure.rate import active, rate
from mnist_vae.measure.samples import frechet_distance
from mnist_vae.measure.separability import knn_accuracy, probe_accuracy
from mnist_vae.nets.classifier import Classifier, classify
from mnist_vae.settings import Settings

Numbers: TypeAlias = dict[str, float]


class MeasureSettings(Settings, frozen=True, kw_only=True):
    """What is measured, and on how much: ``study.measure`` in params.yaml."""

    metrics: tuple[str, ...]
    """Groups of metrics, of ``GROUPS``."""
    priors: tuple[str, ...]
    """What samples are drawn from, of ``PRIORS``."""
    components: Annotated[int, Meta(ge=1, le=1000)]
    """Gaussians in the mixture, and in that of each class."""
    fit_images: Annotated[int, Meta(ge=10, le=1_000_000)]
    """Training images, spread evenly, from whose latents probe, kNN and priors learn."""
    samples: Annotated[int, Meta(ge=2, le=1_000_000)]
    """Latents drawn from each prior, and test images that they are held against, at most."""
    likelihood_images: Annotated[int, Meta(ge=2, le=1_000_000)]
    """Test images, spread evenly, whose likelihood is estimated."""
    likelihood_samples: Annotated[int, Meta(ge=1, le=10_000)]
    """Latents drawn for each of them."""

    def __post_init__(self) -> None:
        """Refuse names that are not known."""
        for key, known in (("metrics", GROUPS), ("priors", PRIORS)):
            for name in getattr(self, key):
                if name not in known:
                    allowed = ", ".join(known)
                    raise ValueError(f"{key}: found {name!r}, must be among {allowed}")


class Subject(NamedTuple):
    """A trained model, and what it made of the images."""

    model: Trained
    classifier: Classifier | None
    """None where images have no labels."""
    images: np.ndarray
    """Test images, uint8 [N, C, H, W]."""
    labels: np.ndarray | None
    """[N]"""
    posterior: Posterior
    """Of the test images."""
    fit: Posterior
    """Of the training images to learn from."""
    fit_labels: np.ndarray | None
    settings: MeasureSettings
    seed: int

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers of one group of metrics."""
        return seeds.stream(self.seed, f"study {purpose}")

    @property
    def pixels(self) -> np.ndarray:
        """The test images in [0, 1]."""
        return self.images / np.float32(255)

    @property
    def trained_variance(self) -> float:
        """Squared error per pixel of the last epoch, at which a Gaussian decoder is calibrated."""
        return float(self.model.curve["squared_error"][-1]) / self.images[0].size


def measure(
    model: Trained,
    classifier: Classifier | None,
    test: Arrays,
    fit: Arrays,
    settings: MeasureSettings,
    seed: int,
) -> Numbers:
    """All numbers of a model, by name; what its kind lacks, or images without labels, is absent.

    ``test`` and ``fit`` are ``images`` uint8 [N, C, H, W] and their ``labels`` [N], if any.
    """
    subject = Subject(
        model,
        classifier,
        test["images"],
        test.get("labels"),
        encode(model.network, test["images"]),
        encode(model.network, fit["images"]),
        fit.get("labels"),
        settings,
        seed,
    )
    numbers = {f"train_{k}": float(v[-1]) for k, v in model.curve.items() if k != "epoch"}
    for group in settings.metrics:
        numbers |= GROUPS[group](subject)
    return numbers


def spread_evenly(arrays: Arrays, count: int) -> Arrays:
    """At most so many rows of arrays [N, ...], the same of each: subsets that a reader can make."""
    total = len(next(iter(arrays.values())))
    rows = np.linspace(0, total - 1, min(count, total)).astype(int)
    return {name: array[rows] for name, array in arrays.items()}


def _distortion(subject: Subject) -> Numbers:
    """Squared error per test image, decoded from the mean and from a draw of the posterior."""
    network, (mean, logvar) = subject.model.network, subject.posterior
    numbers = {"squared_error": distortion(subject.pixels, decode(network, mean)).per_image}
    if logvar is not None:
        drawn = decode(network, sample(mean, logvar, subject.rng("distortion")))
        numbers["squared_error_sampled"] = distortion(subject.pixels, drawn).per_image
    return numbers


def _rate(subject: Subject) -> Numbers:
    """KL in nats, and the number of dimensions in use."""
    mean, logvar = subject.posterior
    numbers = {"active_units": float(active(mean).sum())}
    if logvar is not None:
        numbers["kl"] = float(rate(mean, logvar).sum())
    return numbers


def _likelihood(subject: Subject) -> Numbers:
    """ELBO in nats under the calibrated variance, how many draws count, NLL where enough do."""
    mean, logvar = subject.posterior
    if logvar is None:
        return {}
    few = spread_evenly(
        {"pixels": subject.pixels, "mean": mean, "logvar": logvar},
        subject.settings.likelihood_images,
    )
    measured = evaluate.likelihood(
        subject.model,
        few["pixels"],
        Posterior(few["mean"], few["logvar"]),
        variance=subject.trained_variance,
        samples=subject.settings.likelihood_samples,
        seed=seeds.number(subject.seed, "study likelihood"),
    )
    calibrated = measured.get("calibrated", measured)
    names = ("elbo", "nll", "effective_samples")
    return {name: calibrated[name] for name in names if name in calibrated}


def _latents(subject: Subject) -> Numbers:
    """Percentage of test images whose class a probe and a vote of neighbours read."""
    if subject.labels is None or subject.fit_labels is None:
        return {}
    arrays = subject.fit.mean, subject.fit_labels, subject.posterior.mean, subject.labels
    return {"probe_accuracy": probe_accuracy(*arrays), "knn_accuracy": knn_accuracy(*arrays)}


def _samples(subject: Subject) -> Numbers:
    """Fréchet distance of decoded samples to test images, a number for each prior."""
    if subject.classifier is None:
        return {}
    count = min(subject.settings.samples, len(subject.images))
    real = classify(subject.classifier, spread_evenly({"": subject.images}, count)[""]).features
    numbers = {}
    for name in subject.settings.priors:
        latents = PRIORS[name](subject, count, subject.rng(f"prior {name}"))
        if latents is not None:
            decoded = decode(subject.model.network, latents)
            made = classify(subject.classifier, decoded).features
            numbers[f"frechet_{name}"] = frechet_distance(real, made)
    return numbers


def _standard_normal(of: Subject, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Draws of N(0, I), which only a VAE was trained towards."""
    if of.fit.logvar is None:
        return None
    return rng.standard_normal((count, of.fit.mean.shape[1]), dtype=np.float32)


def _gaussian(of: Subject, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of a Gaussian fitted to draws from the posteriors."""
    return priors.draw(priors.gaussian(sample(*of.fit, rng)), count, rng).latents


def _mixture(of: Subject, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of a mixture of Gaussians fitted likewise."""
    latents, seed = sample(*of.fit, rng), int(rng.integers(2**32))
    fitted = priors.mixture(latents, of.settings.components, seed=seed)
    return priors.draw(fitted, count, rng).latents


def _classes(of: Subject, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Draws of a mixture for each class, fitted likewise; none without labels."""
    if of.fit_labels is None:
        return None
    latents, seed = sample(*of.fit, rng), int(rng.integers(2**32))
    fitted = priors.by_class(latents, of.fit_labels, of.settings.components, seed=seed)
    return priors.draw(fitted, count, rng).latents


Draw: TypeAlias = Callable[[Subject, int, np.random.Generator], "np.ndarray | None"]
"""So many latents [count, D] of a prior, fitted on posteriors; None where a model has none."""

PRIORS: Mapping[str, Draw] = {
    "standard": _standard_normal,
    "gaussian": _gaussian,
    "mixture": _mixture,
    "classes": _classes,
}
GROUPS: Mapping[str, Callable[[Subject], Numbers]] = {
    "distortion": _distortion,
    "rate": _rate,
    "likelihood": _likelihood,
    "latents": _latents,
    "samples": _samples,
}
