"""The catalog of metrics: what each number is called, how it is made and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from mnist_vae.measure.dataset import DatasetFacts, neighbours

Better: TypeAlias = Literal["lower", "higher", ""]
"""Which values of a number are better; nothing where it describes and does not rank."""


class Metric(NamedTuple):
    """A number that the evaluate stage writes about a model."""

    path: str
    """Keys in the model's metrics, joined by dots."""
    label: str
    how: str
    """How the number is made, in a sentence or two, with the names of ``words`` in braces."""
    unit: str = ""
    better: Better = ""
    sources: tuple[str, ...] = ()
    """Names in ``SOURCES``."""
    error: str = ""
    """Path of the number's standard error, where there is one."""


def lookup(metrics: Mapping[str, Any], path: str) -> Any:
    """The value at a path of dotted keys, or None where there is none."""
    value: Any = metrics
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


SOURCES: Mapping[str, str] = {
    "Kingma & Welling 2014": "https://arxiv.org/abs/1312.6114",
    "Alemi et al. 2018": "https://arxiv.org/abs/1711.00464",
    "Burda et al. 2016": "https://arxiv.org/abs/1509.00519",
    "Rybkin et al. 2021": "https://arxiv.org/abs/2006.13202",
    "Theis et al. 2016": "https://arxiv.org/abs/1511.01844",
    "Alain & Bengio 2017": "https://arxiv.org/abs/1610.01644",
    "Rousseeuw 1987": "https://doi.org/10.1016/0377-0427(87)90125-7",
    "Venna & Kaski 2001": "https://doi.org/10.1007/3-540-44668-0_68",
    "Lee & Verleysen 2009": "https://doi.org/10.1016/j.neucom.2008.12.017",
    "Heusel et al. 2017": "https://arxiv.org/abs/1706.08500",
    "Kynkäänniemi et al. 2019": "https://arxiv.org/abs/1904.06991",
    "Ghosh et al. 2020": "https://arxiv.org/abs/1903.12436",
}
"""Address of each paper that a metric comes from."""

METRICS: Mapping[str, tuple[Metric, ...]] = {
    "Training": (
        Metric(
            "epochs",
            "Epochs",
            "Passes over the {train_images:,} training images.",
        ),
        Metric(
            "parameters",
            "Parameters",
            "Weights and biases that were trained.",
        ),
        Metric(
            "train.loss_per_batch_of_512",
            "Training loss of 512 images",
            "In the notebook's unit, a sum over 512 images; losses of different objectives cannot "
            "be compared.",
        ),
        Metric(
            "train.loss",
            "Training loss",
            "Mean over the last epoch, while the weights still moved.",
            unit="per image",
        ),
        Metric(
            "train.squared_error",
            "Training squared error",
            "The same mean; a VAE decodes a draw from the posterior, an autoencoder its code.",
            unit="per image",
        ),
        Metric(
            "train.kl",
            "Training KL",
            "The same mean, summed over dimensions. It is from before the latents were shifted and "
            "scaled after the training, where the recipe says `recentre`.",
            unit="nats per image",
        ),
    ),
    "Distortion on the test set": (
        Metric(
            "distortion.squared_error",
            "Squared error",
            "Summed over {pixels} in 0 to 1, decoded from the posterior mean; mean over images.",
            unit="per image",
            better="lower",
        ),
        Metric(
            "distortion.squared_error_sampled",
            "Squared error, sampled",
            "The same, decoded from one draw of each image's posterior.",
            unit="per image",
            better="lower",
        ),
        Metric(
            "distortion.psnr",
            "PSNR",
            "−10 log₁₀ of the mean squared error per dimension, over all images at once.",
            unit="dB",
            better="higher",
        ),
    ),
    "Rate on the test set": (
        Metric(
            "rate.kl",
            "KL",
            "From the posterior to the prior in closed form, summed over dimensions; it bounds "
            "what the latent tells about an image from above. Where the recipe says `recentre`, "
            "each dimension was shifted and scaled so that it is least.",
            unit="nats per image",
            sources=(
                "Kingma & Welling 2014",
                "Alemi et al. 2018",
            ),
        ),
        Metric(
            "rate.active_units",
            "Active units",
            "Dimensions whose posterior mean has a variance above 0.01 over the test images.",
            unit="dimensions",
            sources=("Burda et al. 2016",),
        ),
    ),
    "Likelihood on the test set": (
        Metric(
            "likelihood.variance",
            "Variance of the Gaussian",
            "Of the likelihood that the next three rows are under; a Bernoulli has none.",
            unit="per dimension",
        ),
        Metric(
            "likelihood.elbo",
            "ELBO",
            "Mean log-likelihood of posterior draws under the model's own likelihood, less the KL.",
            unit="nats per image",
            better="higher",
            sources=("Kingma & Welling 2014",),
        ),
        Metric(
            "likelihood.nll",
            "NLL, at most",
            "By importance sampling from a Gaussian fitted to each image, ± its standard error "
            "over images: a bound from above. With a Gaussian decoder it is of a density over "
            "[0, 1]{power}, so it can be negative. Not stated where fewer than 5 draws count.",
            unit="nats per image",
            better="lower",
            sources=("Burda et al. 2016",),
            error="likelihood.nll_standard_error",
        ),
        Metric(
            "likelihood.effective_samples",
            "Draws that count",
            "Effective sample size of that importance sampling, the median over images.",
            unit="draws",
        ),
        Metric(
            "likelihood.bits_per_dimension",
            "NLL, at most",
            "NLL / ({dimensions:,} ln 2). It ranks densities of the same pixels; it is not a code "
            "length, because the pixels were not dequantized.",
            unit="bits per dimension",
            better="lower",
            sources=("Theis et al. 2016",),
        ),
        Metric(
            "likelihood.calibrated.elbo",
            "ELBO, calibrated",
            "Under the variance that the squared error of the last training epoch gives; a model "
            "trained with a calibrated Gaussian has it as its own.",
            unit="nats per image",
            better="higher",
            sources=("Rybkin et al. 2021",),
        ),
        Metric(
            "likelihood.calibrated.nll",
            "NLL, calibrated, at most",
            "Importance sampling under that variance, from Gaussians fitted under it.",
            unit="nats per image",
            better="lower",
            sources=(
                "Burda et al. 2016",
                "Rybkin et al. 2021",
            ),
            error="likelihood.calibrated.nll_standard_error",
        ),
        Metric(
            "likelihood.calibrated.effective_samples",
            "Draws that count, calibrated",
            "The same under that variance.",
            unit="draws",
        ),
    ),
    "Latents of the test set": (
        Metric(
            "latent.knn_accuracy",
            "kNN accuracy",
            "Test latents labelled correctly by their 5 nearest training latents.",
            unit="%",
            better="higher",
        ),
        Metric(
            "latent.probe_accuracy",
            "Linear probe accuracy",
            "Test latents labelled correctly by logistic regression on training latents.",
            unit="%",
            better="higher",
            sources=("Alain & Bengio 2017",),
        ),
        Metric(
            "latent.silhouette",
            "Silhouette",
            "Of the latents grouped by {noun}: above 0 where {nouns} form compact clusters.",
            unit="−1 to 1",
            better="higher",
            sources=("Rousseeuw 1987",),
        ),
    ),
    "Maps of the latents": (
        Metric(
            "map.trustworthiness",
            "Trustworthiness of the map",
            "1 where the {neighbours} neighbours on the map are neighbours among the latents too. "
            "It judges the map, not the model: a latent of 2 dimensions is its own map.",
            unit="at most 1",
            sources=("Venna & Kaski 2001",),
        ),
        Metric(
            "map.preservation",
            "Neighbours kept by the map",
            "Fraction of the {neighbours} nearest latents that are the {neighbours} nearest on the "
            "map.",
            unit="at most 1",
            sources=("Lee & Verleysen 2009",),
        ),
        Metric(
            "pca.trustworthiness",
            "Trustworthiness of PCA",
            "The same of the two principal axes.",
            unit="at most 1",
            sources=("Venna & Kaski 2001",),
        ),
        Metric(
            "pca.preservation",
            "Neighbours kept by PCA",
            "The same of the two principal axes.",
            unit="at most 1",
            sources=("Lee & Verleysen 2009",),
        ),
    ),
    "Samples of the model": (
        Metric(
            "samples.standard.frechet",
            "Fréchet distance, N(0, I)",
            "Of samples from the prior that a VAE is trained towards; an autoencoder has none.",
            better="lower",
        ),
        Metric(
            "samples.gaussian.frechet",
            "Fréchet distance, Gaussian",
            "Of samples from the Gaussian with the mean and covariance of the training latents, "
            "each a draw from its posterior.",
            better="lower",
            sources=("Ghosh et al. 2020",),
        ),
        Metric(
            "samples.mixture.frechet",
            "Fréchet distance, mixture",
            "Of samples from a mixture of Gaussians fitted to these latents.",
            better="lower",
            sources=("Ghosh et al. 2020",),
        ),
        Metric(
            "samples.classes.frechet",
            "Fréchet distance, mixture of each class",
            "Of samples from mixtures fitted to the latents of one {noun} each, which come as "
            "often as in training.",
            better="lower",
        ),
        Metric(
            "samples.reconstructions.frechet",
            "Fréchet distance of reconstructions",
            "Reconstructions from the mean against the test images that they are of: samples of "
            "this decoder hardly come nearer.",
            better="lower",
        ),
        Metric(
            "samples.reconstructions.as_asked",
            "Classes kept",
            "Reconstructions in which the classifier sees the true {noun}.",
            unit="%",
            better="higher",
        ),
        Metric(
            "made.test_accuracy",
            "Classifier trained on made pictures",
            "Real test images named correctly by a classifier of the same kind that was trained "
            "only on pictures from the mixtures of each class.",
            unit="%",
            better="higher",
        ),
    ),
}
"""All metrics in the order of the comparison, in named groups."""

SAMPLED: tuple[Metric, ...] = (
    Metric(
        "frechet",
        "Fréchet distance",
        "As many samples as test images against these, with the formula of the FID on features of "
        "this project's own classifier. It is not the FID, which takes Inception's: never set it "
        "beside published ones. Real images are as many of the training images, drawn five times: "
        "the mean ± the standard deviation.",
        better="lower",
        sources=("Heusel et al. 2017",),
    ),
    Metric(
        "entropy",
        "Entropy",
        "Of the {nouns} that the classifier sees: ln {classes} = {entropy:.2f} when all come "
        "equally often, 0 when all are the same.",
        unit="nats",
    ),
    Metric(
        "confident",
        "Read with confidence",
        "Images that the classifier reads with a probability above 0.9.",
        unit="%",
    ),
    Metric(
        "precision",
        "Precision",
        "Samples that lie among test images in the classifier's features; falls with samples that "
        "look like nothing real. Of 2,500 each, or all there are.",
        unit="%",
        sources=("Kynkäänniemi et al. 2019",),
    ),
    Metric(
        "recall",
        "Recall",
        "Test images that lie among samples; falls with images that no sample looks like.",
        unit="%",
        sources=("Kynkäänniemi et al. 2019",),
    ),
    Metric(
        "too_near",
        "Nearer than test images",
        "Of 500 or all there are, those nearer to a training image, by squared error, than 1% of "
        "test images are. Copies would be, and so are smooth drawings of plain shapes.",
        unit="%",
    ),
    Metric(
        "too_near_rebuilt",
        "Nearer than reconstructions",
        "The same, nearer than 1% of reconstructions of test images, which are as smooth.",
        unit="%",
    ),
    Metric(
        "as_asked",
        "Read as asked",
        "Samples of a {noun} that the classifier reads as that {noun}, and reconstructions that it "
        "reads as what the image is.",
        unit="%",
    ),
)
"""What is measured of samples of each prior, of reconstructions and of real images."""


def explain(metric: Metric, data: DatasetFacts) -> str:
    """How the number is made of this data set."""
    return metric.how.format(**words(data))


def words(data: DatasetFacts) -> dict[str, str | int | float]:
    """What explanations say of a data set."""
    pixels = data.image_size**2
    dimensions = data.channels * pixels
    colours = "" if data.channels == 1 else f", {data.channels} colours each,"
    return {
        "train_images": data.train_images,
        "pixels": f"{pixels:,} pixels{colours}",
        "dimensions": dimensions,
        "power": str(dimensions).translate(_SUPERSCRIPT),
        "noun": data.noun,
        "nouns": "classes" if data.noun == "class" else f"{data.noun}s",
        "classes": len(data.classes),
        "entropy": math.log(max(1, len(data.classes))),
        "neighbours": neighbours(data.test_images),
    }


_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
