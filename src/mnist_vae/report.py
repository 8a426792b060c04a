"""The page that a person opens: the answer, every metric, every figure, how it was made.

What stands on it, and in which words; ``page`` knows how to write it down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import yaml

from mnist_vae.errors import InputError
from mnist_vae.measure import audit
from mnist_vae.page import (
    Block,
    Cell,
    Code,
    Inline,
    Link,
    Listing,
    Page,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
    Terms,
    Title,
)

Metrics: TypeAlias = Mapping[str, Any]
"""What the evaluate stage wrote about one model; what does not apply to it is absent."""
Sizes: TypeAlias = Mapping[str, tuple[int, int]]
"""Width and height in pixels of each figure there is, by its path beside the page."""

QUESTION = "With enough dimensions, does the VAE overcome the plain autoencoder?"
LEVEL = 0.05
"""Squared errors that differ by less than this fraction are called level: each spreads by up to 2%
over seeds, so their difference by up to 3%, and twice that is chance (docs/decisions.md)."""
RATE_DISTORTION = "rate_distortion.png"

FIGURES = {
    "loss": "Training loss",
    "reconstructions": "Test images, each beside its reconstruction",
    "prior_samples": "Samples from the prior",
    "latent_map": "Map of the latents of the test images",
    "latent_pca": "The two principal axes of the latents",
    "class_digits": "One latent of each class, decoded",
    "latent_map_classes": "The map with the ten class latents",
    "interpolation": "Interpolation between four class latents",
    "manifold": "The latent plane, decoded",
    "rate": "Rate of each latent dimension",
    "posterior": "Aggregated posterior against the prior",
    "traversals": "Traversals of the most active dimensions",
}
"""What each figure of a model shows; the page keeps this order."""

SOURCES = {
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
}


# ---- What is measured ---------------------------------------------------------------------------


class Metric(NamedTuple):
    """A row of the comparison, and how its number is made."""

    path: str
    """Keys in a model's metrics, joined by dots."""
    label: str
    unit: str
    better: str
    """``lower`` or ``higher``, or nothing where no model is best."""
    how: str
    sources: tuple[str, ...] = ()
    error: str = ""
    """Path of the standard error, where there is one."""


COMPARED: Mapping[str, tuple[Metric, ...]] = {
    "Training": (
        Metric("epochs", "Epochs", "", "", "Passes over the 60,000 training images."),
        Metric("parameters", "Parameters", "", "", "Weights and biases that were trained."),
        Metric(
            "train.loss_per_batch_of_512",
            "Training loss of 512 images",
            "",
            "",
            "In the notebook's unit, a sum over 512 images; losses of different objectives cannot "
            "be compared.",
        ),
        Metric(
            "train.loss",
            "Training loss",
            "per image",
            "",
            "Mean over the last epoch, while the weights still moved.",
        ),
        Metric(
            "train.squared_error",
            "Training squared error",
            "per image",
            "",
            "The same mean; a VAE decodes a draw from the posterior, an autoencoder its code.",
        ),
        Metric(
            "train.kl",
            "Training KL",
            "nats per image",
            "",
            "The same mean, summed over dimensions.",
        ),
    ),
    "Distortion on the test set": (
        Metric(
            "distortion.squared_error",
            "Squared error",
            "per image",
            "lower",
            "Summed over 784 pixels in 0 to 1, decoded from the posterior mean; mean over images.",
        ),
        Metric(
            "distortion.squared_error_sampled",
            "Squared error, sampled",
            "per image",
            "lower",
            "The same, decoded from one draw of each image's posterior.",
        ),
        Metric(
            "distortion.psnr",
            "PSNR",
            "dB",
            "higher",
            "−10 log₁₀ of the mean squared error per pixel, over all images at once.",
        ),
    ),
    "Rate on the test set": (
        Metric(
            "rate.kl",
            "KL",
            "nats per image",
            "",
            "From the posterior to the prior in closed form, summed over dimensions; it bounds "
            "what the latent tells about an image from above.",
            ("Kingma & Welling 2014", "Alemi et al. 2018"),
        ),
        Metric(
            "rate.active_units",
            "Active units",
            "dimensions",
            "",
            "Dimensions whose posterior mean has a variance above 0.01 over the test images.",
            ("Burda et al. 2016",),
        ),
    ),
    "Likelihood on the test set": (
        Metric(
            "likelihood.variance",
            "Variance of the Gaussian",
            "per pixel",
            "",
            "Of the likelihood that the next three rows are under; a Bernoulli has none.",
        ),
        Metric(
            "likelihood.elbo",
            "ELBO",
            "nats per image",
            "higher",
            "Log-likelihood of a posterior draw under the model's own likelihood, less the KL.",
            ("Kingma & Welling 2014",),
        ),
        Metric(
            "likelihood.nll",
            "NLL",
            "nats per image",
            "lower",
            "By importance sampling from the posterior, ± its standard error over images. With a "
            "Gaussian it is of a density over [0, 1]⁷⁸⁴, so it can be negative.",
            ("Burda et al. 2016",),
            "likelihood.nll_standard_error",
        ),
        Metric(
            "likelihood.bits_per_dimension",
            "NLL",
            "bits per pixel",
            "lower",
            "NLL / (784 ln 2). It ranks densities of the same pixels; it is no code length, for "
            "the pixels were not dequantized.",
            ("Theis et al. 2016",),
        ),
        Metric(
            "likelihood.calibrated.elbo",
            "ELBO, calibrated",
            "nats per image",
            "higher",
            "Under the variance that the squared error of the last training epoch gives; a model "
            "trained with a calibrated Gaussian has it as its own.",
            ("Rybkin et al. 2021",),
        ),
        Metric(
            "likelihood.calibrated.nll",
            "NLL, calibrated",
            "nats per image",
            "lower",
            "Importance sampling under that variance.",
            ("Burda et al. 2016", "Rybkin et al. 2021"),
            "likelihood.calibrated.nll_standard_error",
        ),
    ),
    "Latents of the test set": (
        Metric(
            "latent.knn_accuracy",
            "kNN accuracy",
            "%",
            "higher",
            "Test latents labelled rightly by their 5 nearest training latents.",
        ),
        Metric(
            "latent.probe_accuracy",
            "Linear probe accuracy",
            "%",
            "higher",
            "Test latents labelled rightly by logistic regression on training latents.",
            ("Alain & Bengio 2017",),
        ),
        Metric(
            "latent.silhouette",
            "Silhouette",
            "−1 to 1",
            "higher",
            "Of the latents grouped by digit: above 0 where digits form compact clusters.",
            ("Rousseeuw 1987",),
        ),
    ),
    "Maps of the latents": (
        Metric(
            "map.trustworthiness",
            "Trustworthiness of the map",
            "at most 1",
            "",
            "1 where the 10 neighbours on the map are neighbours among the latents too. It judges "
            "the map, not the model: a latent of 2 dimensions is its own map.",
            ("Venna & Kaski 2001",),
        ),
        Metric(
            "map.preservation",
            "Neighbours kept by the map",
            "at most 1",
            "",
            "Fraction of the 10 nearest latents that are the 10 nearest on the map.",
            ("Lee & Verleysen 2009",),
        ),
        Metric(
            "pca.trustworthiness",
            "Trustworthiness of PCA",
            "at most 1",
            "",
            "The same of the two principal axes.",
            ("Venna & Kaski 2001",),
        ),
        Metric(
            "pca.preservation",
            "Neighbours kept by PCA",
            "at most 1",
            "",
            "The same of the two principal axes.",
            ("Lee & Verleysen 2009",),
        ),
    ),
    "Images as the digit classifier sees them": (
        Metric(
            "samples.frechet_prior",
            "Fréchet distance of samples",
            "",
            "lower",
            "Samples from the prior against test images, with the formula of the FID on features "
            "of this project's own classifier. It is not the FID, which takes Inception's: never "
            "set it beside published ones.",
            ("Heusel et al. 2017",),
        ),
        Metric(
            "samples.frechet_reconstructions",
            "Fréchet distance of reconstructions",
            "",
            "lower",
            "Reconstructions against the test images that they are of.",
            ("Heusel et al. 2017",),
        ),
        Metric(
            "samples.frechet_floor",
            "Fréchet distance of real images",
            "",
            "",
            "One half of the test set against the other, 5,000 images each: what chance alone "
            "gives, and more of it than at 10,000.",
        ),
        Metric(
            "samples.digit_entropy",
            "Entropy of sampled digits",
            "nats",
            "higher",
            "Of the digits that the classifier sees in samples: ln 10 = 2.30 when all come equally "
            "often, 0 when all are the same.",
        ),
        Metric(
            "samples.digits_kept",
            "Digits kept",
            "%",
            "higher",
            "Reconstructions in which the classifier sees the true digit.",
        ),
    ),
}


# ---- The page -----------------------------------------------------------------------------------


def compose(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    sizes: Sizes,
    classifier: Metrics,
    settings: Mapping[str, Any],
    facts: Mapping[str, str],
) -> Page:
    """The page, from what was trained, what was measured and the figures that there are.

    ``models`` are those of params.yaml and ``measured`` their metrics, by name; ``sizes`` has the
    paths ``figures/MODEL/FIGURE.png`` and rate_distortion.png; ``classifier`` is what was measured
    of the digit classifier; ``settings`` are the other params to show, with ``recipe``; ``facts``
    are further lines of provenance, each with its name.
    """
    if not models:
        raise InputError("params.yaml: models: found none, must name at least one")
    sections = [
        Section(QUESTION, _opening(models, measured)),
        Section("All models compared", _comparison(models, measured)),
        Section("Rate and distortion", _plane(measured, sizes)),
        Section("Reconstructions", _side_by_side(models, sizes, "reconstructions")),
        Section("Samples from the prior", _side_by_side(models, sizes, "prior_samples")),
        Section("Maps of the latents", _side_by_side(models, sizes, "latent_map")),
        Section("Is the KL too weak or too strong?", _audits(measured)),
        Section("More figures of each model", _more_figures(models, sizes)),
        Section("How each number is made", _how(measured, classifier)),
        Section("What one seed can say", _one_seed()),
        Section("How this page was made", _provenance(models, measured, settings, facts)),
    ]
    return Page(
        "Variational autoencoders on MNIST", [section for section in sections if section.blocks]
    )


# ---- The answer ---------------------------------------------------------------------------------


def answer(models: Mapping[str, Any], measured: Mapping[str, Metrics]) -> list[str]:
    """The question answered in two sentences, from the squared errors of VAE and autoencoder.

    Each autoencoder is set beside a VAE of as many dimensions, one with the notebook's objective
    if there is one, and the pair of most dimensions decides. Without a pair the first sentence
    says so.
    """
    pairs = _pairs(models, measured)
    return [said for said in (_on_errors(pairs, measured), _on_gains(pairs, measured)) if said]


def _pairs(
    models: Mapping[str, Any], measured: Mapping[str, Metrics]
) -> list[tuple[int, str, str]]:
    """Dimensions, VAE and autoencoder, the most dimensions first."""
    known: dict[str, dict[int, list[str]]] = {"vae": {}, "ae": {}}
    for name, about in models.items():
        kind, dims = (about.get(k) if isinstance(about, Mapping) else None for k in _WHAT)
        error = number(measured.get(name, {}), "distortion.squared_error")
        if kind in tuple(known) and isinstance(dims, int) and error:
            known[kind].setdefault(dims, []).append(name)
    return [
        # The notebook's objective is the default likelihood; min keeps the first of equals.
        (dims, min(vaes, key=lambda n: models[n].get("likelihood", "fixed") != "fixed"), aes[0])
        for dims, vaes in sorted(known["vae"].items(), reverse=True)
        if (aes := known["ae"].get(dims))
    ]


_WHAT = ("kind", "latent_dim")


def _on_errors(pairs: Sequence[tuple[int, str, str]], measured: Mapping[str, Metrics]) -> str:
    errors = {
        name: error
        for name, metrics in measured.items()
        if (error := number(metrics, "distortion.squared_error")) is not None
    }
    if not pairs:
        said = _series([f"{show(error, 3)} for {name}" for name, error in errors.items()])
        known = f": the squared error per test image is {said}" if said else ""
        return (
            f"This run cannot say, without a VAE and an autoencoder of as many dimensions{known}."
        )
    found = []
    for dims, vae, ae in pairs:
        gap = errors[vae] / errors[ae] - 1
        verdict = ", yes" if gap <= -LEVEL else ", no" if gap >= LEVEL else " they are level"
        both = f"{show(errors[vae], 3)} for {vae} and {show(errors[ae], 3)} for {ae}"
        found.append((dims, verdict, f"{both} ({abs(gap):.1%} {'more' if gap > 0 else 'less'})"))
    (dims, verdict, both), *others = found
    others_too = "".join(f", and at {dims} dimensions {both}" for dims, _, both in others)
    return f"At {dims} dimensions{verdict}: the squared error per test image is {both}{others_too}."


def _on_gains(pairs: Sequence[tuple[int, str, str]], measured: Mapping[str, Metrics]) -> str:
    """What the prior and the latents are worth: of the first pair, and of the best sampler."""
    said = []
    distances = {
        name: distance
        for name, metrics in measured.items()
        if (distance := number(metrics, "samples.frechet_prior")) is not None
    }
    if distances:
        best = min(distances, key=lambda name: distances[name])
        first = [vae for _, vae, _ in pairs[:1] if vae in distances and vae != best]
        shown = _series([f"{show(distances[name], 3)} for {name}" for name in [*first, best]])
        floor = number(measured[best], "samples.frechet_floor")
        real = (
            f" (one half of the test images to the other: {show(floor, 3)})"
            if floor is not None
            else ""
        )
        said.append(
            "only a VAE has a prior to sample from, and the Fréchet distance of its samples to the "
            f"test images is {shown}{real}"
        )
    probed = [name for pair in pairs[:1] for name in pair[1:]] or list(measured)
    probes = [
        f"{show(accuracy, 3)}% of the latents of {name}"
        for name in probed
        if (accuracy := number(measured[name], "latent.probe_accuracy")) is not None
    ]
    if probes:
        said.append(f"a linear probe reads the digit from {_series(probes)}")
    return f"Beyond reconstruction, {'; '.join(said)}." if said else ""


def _opening(models: Mapping[str, Any], measured: Mapping[str, Metrics]) -> list[Block]:
    caveat = (
        f"Errors less than {LEVEL:.0%} apart are called level. Each model was trained once: see "
        "what one seed can say, below."
    )
    sentences = answer(models, measured)
    return [*(Paragraph([said], lead=True) for said in sentences), Paragraph([caveat])]


# ---- Tables -------------------------------------------------------------------------------------


def _comparison(models: Mapping[str, Any], measured: Mapping[str, Metrics]) -> list[Block]:
    complete = {name: _with_own_calibration(measured.get(name, {})) for name in models}
    groups = {
        group: [
            [Cell(_name(metric)), *row]
            for metric, row in ((metric, compare(metric, complete)) for metric in metrics)
            if any(cell.text != _ABSENT for cell in row)
        ]
        for group, metrics in COMPARED.items()
    }
    table = Table(
        "All models compared",
        ["", *models],
        {group: rows for group, rows in groups.items() if rows},
    )
    guide = Paragraph(
        [
            f"↓ lower is better, ↑ higher is better, the best in bold; {_ABSENT} does not apply. "
            "Rows without an arrow describe and do not rank."
        ]
    )
    return [guide, table]


def _name(metric: Metric) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.label}{unit}{_ARROWS[metric.better]}"


_ARROWS = {"lower": " ↓", "higher": " ↑", "": ""}
_ABSENT = "–"


def compare(metric: Metric, measured: Mapping[str, Metrics]) -> list[Cell]:
    """A cell of each model, the best marked.

    Numbers that read the same are equally good. None is marked where fewer than two models have
    the number, where all read the same, or where likelihoods of gray pixels stand beside
    densities, which have a variance.
    """
    values = [number(metrics, metric.path) for metrics in measured.values()]
    known = [value for value in values if value is not None]
    kinds = {
        number(metrics, "likelihood.variance") is None
        for metrics, value in zip(measured.values(), values, strict=True)
        if value is not None
    }
    comparable = not metric.path.startswith("likelihood.") or len(kinds) == 1
    best = ""
    if metric.better and comparable and len({show(value) for value in known}) > 1:
        best = show(min(known) if metric.better == "lower" else max(known))
    cells = []
    for metrics, value in zip(measured.values(), values, strict=True):
        if value is None:
            found = _at(metrics, metric.path)
            cells.append(Cell(found if isinstance(found, str) else _ABSENT))
        else:
            error = number(metrics, metric.error) if metric.error else None
            spread = f" ± {show(error, 2)}" if error is not None else ""
            cells.append(Cell(f"{show(value)}{spread}", show(value) == best))
    return cells


def _with_own_calibration(metrics: Metrics) -> Metrics:
    """With a ``calibrated`` part also for the Gaussian that was trained calibrated."""
    likelihood = metrics.get("likelihood")
    if not isinstance(likelihood, Mapping) or "variance" not in likelihood:
        return metrics
    return {**metrics, "likelihood": {"calibrated": likelihood, **likelihood}}


def _audits(measured: Mapping[str, Metrics]) -> list[Block]:
    rows, findings = [], []
    for name, metrics in measured.items():
        values = [number(metrics, path) for path in _AUDITED]
        beta, _, variance, _, rate = values
        if beta is None or rate is None:
            continue
        try:
            found = (
                audit.audit_bernoulli(kl_weight=beta, rate=rate)
                if variance is None
                else audit.audit_gaussian(
                    kl_weight=beta, mean_squared_error=variance, rate=rate, variance=1
                )
            )
        except (ValueError, ZeroDivisionError) as error:
            raise InputError(
                f"reports/metrics/{name}.json: audit: {error}; delete it and run `dvc repro`"
            ) from None
        rows.append([Cell(name), *(Cell(_ABSENT if v is None else show(v)) for v in values)])
        findings.append((name, [found.sentence]))
    if not rows:
        return []
    about = (
        "A squared error with a KL weight hides a Gaussian decoder of some variance. Set beside "
        "the variance that the decoder's error on the test images shows, it tells how many times "
        "weaker the KL is than in the ELBO of that decoder ("
    )
    return [
        Paragraph([about, _source("Rybkin et al. 2021"), ")."]),
        Terms(findings),
        Table("Audit of the KL", ["", *_AUDITED.values()], {"": rows}),
    ]


_AUDITED = {
    "audit.beta": "β beside ½ squared error",
    "audit.implied_variance": "variance implied",
    "audit.calibrated_variance": "variance shown",
    "audit.ratio": "times too weak",
    "rate.kl": "KL, nats",
}


def number(metrics: Metrics, path: str) -> float | None:
    """The number at a path of dotted keys, or None where there is none."""
    found = _at(metrics, path)
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    return found if abs(found) < 1e300 else None  # beyond, sums and drawings overflow


def _at(metrics: Metrics, path: str) -> Any:
    found: Any = metrics
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def show(value: float, digits: int = 4) -> str:
    """A number in so many digits for a person; whole numbers in full."""
    rounded = value if isinstance(value, int) else float(f"{value:.{digits}g}")
    if isinstance(value, int) or abs(rounded) >= min(1000, 10**digits):
        text = f"{rounded:,.0f}"
    elif 0 < abs(rounded) < 1e-4:
        factor, power = f"{rounded:.{digits - 1}e}".split("e")
        text = f"{factor}·10{str(int(power)).translate(_SUPERSCRIPT)}"
    else:
        text = f"{rounded:#.{digits}g}".removesuffix(".")
    return text.replace("-", "−")


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _series(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


# ---- Figures ------------------------------------------------------------------------------------


def points(
    measured: Mapping[str, Metrics],
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names [M], rates [M] and distortions [M] of the VAEs, for the rate-distortion plane.

    The distortion is of a draw from the posterior, as in the ELBO (Alemi et al. 2018).
    """
    found = {
        name: (rate, distortion)
        for name, metrics in measured.items()
        if (rate := number(metrics, "rate.kl")) is not None
        and (distortion := number(metrics, "distortion.squared_error_sampled")) is not None
    }
    rates, distortions = np.array(list(found.values()), float).reshape(-1, 2).T
    return list(found), rates, distortions


def png_size(name: str, data: bytes) -> tuple[int, int]:
    """Width and height of a PNG file in pixels; raises InputError when it is none."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        raise InputError(f"{name}: not a PNG file; delete it and run `dvc repro`")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _plane(measured: Mapping[str, Metrics], sizes: Sizes) -> list[Block]:
    names, rates, distortions = points(measured)
    if not names or RATE_DISTORTION not in sizes:
        return []
    places = [
        f"{name} at {show(rate)} nats and {show(distortion)}"
        for name, rate, distortion in zip(names, rates.tolist(), distortions.tolist(), strict=True)
    ]
    about = (
        "Each VAE pays for exact images (a low distortion) with what the latent tells about them "
        "(a high rate); of two models, the one with less of both is better ("
    )
    alt = f"Rate and squared error of a draw: {'; '.join(places)}."
    picture = Picture(RATE_DISTORTION, alt, "", sizes[RATE_DISTORTION])
    return [Paragraph([about, _source("Alemi et al. 2018"), ")."]), Pictures([picture])]


def _side_by_side(models: Iterable[str], sizes: Sizes, figure: str) -> list[Block]:
    pictures = [
        Picture(path, f"{name}: {FIGURES[figure]}", name, sizes[path])
        for name in models
        if (path := _path(name, figure)) in sizes
    ]
    return [Paragraph([_ABOUT[figure]]), Pictures(pictures)] if pictures else []


_ABOUT = {
    "reconstructions": "The same 100 test images, each beside its reconstruction.",
    "prior_samples": "Decoded draws from N(0, I). An autoencoder has no prior to draw from.",
    "latent_map": "The latent of each test image in the colour of its digit: as it is with two "
    "dimensions, else a t-SNE map, on which distances between clusters mean little.",
}


def _more_figures(models: Iterable[str], sizes: Sizes) -> list[Block]:
    blocks: list[Block] = []
    for name in models:
        start = f"figures/{name}/"
        drawn = {p.removeprefix(start).removesuffix(".png") for p in sizes if p.startswith(start)}
        order = [*FIGURES, *sorted(drawn - FIGURES.keys())]
        pictures = [
            Picture(path, f"{name}: {caption}", caption, sizes[path])
            for figure in order
            if figure in drawn - _ABOUT.keys()
            for path, caption in [(_path(name, figure), FIGURES.get(figure, figure))]
        ]
        if pictures:
            blocks += [Title(name), Pictures(pictures)]
    return blocks


def _path(model: str, figure: str) -> str:
    return f"figures/{model}/{figure}.png"


# ---- How it was made ----------------------------------------------------------------------------


def _how(measured: Mapping[str, Metrics], classifier: Metrics) -> list[Block]:
    terms = []
    for metric in (metric for metrics in COMPARED.values() for metric in metrics):
        if all(number(metrics, metric.path) is None for metrics in measured.values()):
            continue
        parts: list[Inline] = [metric.how]
        for source in metric.sources:
            parts += [" " if len(parts) == 1 else ", ", _source(source)]
        terms.append((_name(metric), [*parts, "." if metric.sources else ""]))
    accuracy = number(classifier, "test_accuracy")
    if accuracy is not None:
        said = f"Trained on MNIST's training images; it reads {show(accuracy)}% of the test images."
        terms.append(("The digit classifier", [said]))
    return [Terms(terms)] if terms else []


def _source(name: str) -> Link:
    return Link(name, SOURCES[name])


def _one_seed() -> list[Block]:
    return [
        Paragraph(
            [
                "Each model was trained once, from one seed, and a difference smaller than what "
                "another seed gives means nothing. Squared errors spread by up to 2% over seeds, "
                f"hence the {LEVEL:.0%} above; of the other numbers the spread is not known. The ± "
                "beside an NLL is over test images, not over trainings. Large differences, and "
                "what a model has or lacks by its design, stand on firmer ground; from how many "
                "dimensions on one model overtakes another takes a study over dimensions and "
                "seeds, which is another job."
            ]
        )
    ]


def _provenance(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    settings: Mapping[str, Any],
    facts: Mapping[str, str],
) -> list[Block]:
    found = [_at(metrics, "device") for metrics in measured.values()]
    devices = sorted({device for device in found if isinstance(device, str)})
    lines = dict(facts)
    if devices:
        lines["Trained on"] = _series(devices)
    shown = yaml.safe_dump(
        {**settings, "models": dict(models)}, sort_keys=False, allow_unicode=True
    )
    return [
        Terms([(name, [value]) for name, value in lines.items()]),
        Paragraph(["To make it again, from the project's top folder; only what changed is run:"]),
        Listing(
            "make reproduce  # the whole pipeline\n"
            "dvc repro report  # this page, and what it needs\n"
            "dvc exp run -S recipe=notebook  # the notebook's own 300 epochs"
        ),
        Paragraph(["The settings that it was made with, from ", Code("params.yaml"), ":"]),
        Listing(shown.rstrip()),
    ]


def pinned(lock: str, *packages: str) -> str:
    """Versions that a requirements file pins of ``packages``, all of each, to read."""
    said = []
    for package in packages:
        versions = re.findall(rf"^{re.escape(package)}==([^\s;\\]+)", lock, re.MULTILINE)
        if versions:
            said.append(f"{package} {' or '.join(dict.fromkeys(versions))}")
    return ", ".join(said)


def long_table(curves: Mapping[str, Mapping[str, np.ndarray]]) -> list[dict[str, float | str]]:
    """The loss curves of all models as rows of model, epoch and loss, for one chart of them all."""
    return [
        {"model": name, "epoch": int(epoch), "loss": float(loss)}
        for name, curve in curves.items()
        for epoch, loss in zip(curve["epoch"], curve["loss"], strict=True)
    ]
