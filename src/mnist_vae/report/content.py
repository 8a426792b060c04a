"""What stands on the page, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_vae.errors import InputError
from mnist_vae.files.store import AGAIN
from mnist_vae.measure import audit
from mnist_vae.measure.catalog import METRICS, SAMPLED, SOURCES, Metric, explain
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report import study
from mnist_vae.report.answer import QUESTION, answer
from mnist_vae.report.document import (
    Block,
    Cell,
    DefinitionList,
    Gallery,
    Inline,
    Link,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
)
from mnist_vae.report.pictures import COMPARED, RATE_DISTORTION, Sizes, others, points, side_by_side
from mnist_vae.report.provenance import data_lines, provenance
from mnist_vae.report.samples import PRIORS, samples
from mnist_vae.report.study import Counterparts, Grid
from mnist_vae.report.tables import ABSENT, Metrics, comparison, number, row_name, show


def compose(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    sizes: Sizes,
    classifier: Metrics,
    real: Metrics,
    data: DatasetFacts,
    settings: Mapping[str, Any],
    facts: Mapping[str, str],
    grids: Sequence[Grid] = (),
) -> Page:
    """The page, from what was trained, what was measured and the figures that there are.

    ``models`` are those of params.yaml and ``measured`` their metrics, by name; ``sizes`` has the
    paths ``figures/MODEL/FIGURE.png`` and rate_distortion.png; ``classifier`` is what was measured
    of the classifier and ``real`` of real images, nothing if there is no classifier, and ``data``
    what the images are; ``settings`` are the other params to show, with ``recipe``; ``facts`` are
    further lines of provenance, each with its name. ``grids`` are those that the study ran on these
    images, whose figures ``sizes`` has as study/GRID/figures/FIGURE.png. Sections without content
    are left out.

    Raises InputError where there is no model, or where a model's numbers allow no audit.
    """
    if not models:
        raise InputError("params.yaml: models: found none, must name at least one")
    facts = {**data_lines(data), **facts}
    found = study.counterparts(grids, str(settings.get("recipe")), models)
    sections = [
        Section(QUESTION, _opening(models, measured, classifier, real, data, found, sizes)),
        Section("All models compared", _comparison(models, measured, data, found)),
        Section("Rate and distortion", _plane(measured, sizes)),
        *(
            Section(title, side_by_side(models, sizes, figure))
            for figure, (title, _) in COMPARED.items()
        ),
        Section("Samples beside real images", samples(measured, real)),
        Section("Is the KL too weak or too strong?", _audits(measured)),
        Section("More figures of each model", others(models, sizes)),
        Section("How each number is made", _definitions(measured, classifier, data)),
        Section("What the study found", study.section(grids, found and found.grid, sizes)),
        Section("What one seed can say", _one_seed(found)),
        Section("How this page was made", provenance(models, measured, settings, facts)),
    ]
    title = f"Variational autoencoders on {data.dataset}"
    return Page(title, [section for section in sections if section.blocks])


def _opening(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    classifier: Metrics,
    real: Metrics,
    data: DatasetFacts,
    found: Counterparts | None,
    sizes: Sizes,
) -> list[Block]:
    answered = study.opening(found.grid, sizes) if found else []
    sentences = answer(models, measured, classifier, real, data.noun, found)
    caveat = "Each model on this page was trained once: see what one seed can say, below."
    own = [Paragraph([sentence], lead=not answered) for sentence in sentences]
    return [*answered, *own, Paragraph([caveat])]


def _comparison(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    data: DatasetFacts,
    found: Counterparts | None,
) -> list[Block]:
    bold = "in bold what is the best over the seeds of the study too; " if found else ""
    legend = (
        f"↓ lower is better, ↑ higher is better; {bold}{ABSENT} does not apply. "
        "Rows without an arrow describe and do not rank."
    )
    table = comparison(list(models), measured, found)
    return [Paragraph([legend]), *([] if data.classes else [Paragraph([UNLABELLED])]), table]


UNLABELLED = (
    "These images have no labels. So there are no figures of classes, nothing says how well "
    "latents keep classes apart, and there is no classifier: Fréchet distances, which would be of "
    "its features, are left out."
)


def _plane(measured: Mapping[str, Metrics], sizes: Sizes) -> list[Block]:
    names, rates, distortions = points(measured)
    if not names or RATE_DISTORTION not in sizes:
        return []
    coordinates = [
        f"{name} at {show(rate)} nats and {show(distortion)}"
        for name, rate, distortion in zip(names, rates.tolist(), distortions.tolist(), strict=True)
    ]
    introduction = (
        "Each VAE pays for exact images (a low distortion) with what the latent tells about them "
        "(a high rate); of two models, the one with less of both is better ("
    )
    alt = f"Rate and squared error of a draw: {'; '.join(coordinates)}."
    picture = Picture(RATE_DISTORTION, alt, "", sizes[RATE_DISTORTION])
    return [Paragraph([introduction, _cite("Alemi et al. 2018"), ")."]), Gallery([picture])]


_AUDITED = {
    "audit.beta": "variance implied: β beside ½ squared error",
    "audit.calibrated_variance": "variance shown",
    "audit.ratio": "times too weak",
    "rate.kl": "KL, nats",
}


def _audits(measured: Mapping[str, Metrics]) -> list[Block]:
    rows, findings = [], []
    for name, metrics in measured.items():
        values = [number(metrics, path) for path in _AUDITED]
        beta, variance, _, rate = values
        if beta is None or rate is None:
            continue
        sentence = _finding(name, beta, variance, rate)
        rows.append([Cell(name), *(Cell(ABSENT if v is None else show(v)) for v in values)])
        findings.append((name, [sentence]))
    if not rows:
        return []
    introduction = (
        "A squared error with a KL weight hides a Gaussian decoder of some variance. Set beside "
        "the variance that the decoder's error on the test images shows, it says how many times "
        "weaker the KL is than in the ELBO of that decoder ("
    )
    calibrated = "). A decoder that was trained with the variance of its error is near 1 by nature."
    return [
        Paragraph([introduction, _cite("Rybkin et al. 2021"), calibrated]),
        DefinitionList(findings),
        Table("Audit of the KL", ["", *_AUDITED.values()], {"": rows}),
    ]


def _finding(name: str, beta: float, variance: float | None, rate: float) -> str:
    """What the audit says of a model, in a sentence; only a Gaussian decoder has a variance."""
    try:
        if variance is None:
            return audit.audit_bernoulli(kl_weight=beta, rate=rate).sentence
        return audit.audit_gaussian(
            kl_weight=beta, mean_squared_error=variance, rate=rate, variance=1
        ).sentence
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"reports/metrics/{name}.json: audit: {error}{AGAIN}") from None


def _definitions(
    measured: Mapping[str, Metrics], classifier: Metrics, data: DatasetFacts
) -> list[Block]:
    entries = []
    for metric in (*(metric for metrics in METRICS.values() for metric in metrics), *SAMPLED):
        if not _is_measured(metric, measured):
            continue
        parts: list[Inline] = [explain(metric, data)]
        for source in metric.sources:
            parts += [" " if len(parts) == 1 else ", ", _cite(source)]
        entries.append((row_name(metric), [*parts, "." if metric.sources else ""]))
    accuracy = number(classifier, "test_accuracy")
    if accuracy is not None:
        origin = (
            f"Trained on the training images of {data.dataset}; it names the {data.noun} of "
            f"{show(accuracy)}% of the test images."
        )
        entries.append(("The classifier", [origin]))
    return [DefinitionList(entries)] if entries else []


def _is_measured(metric: Metric, measured: Mapping[str, Metrics]) -> bool:
    """Whether any model has the number, or its samples of any prior."""
    paths = [metric.path, *(f"samples.{prior}.{metric.path}" for prior in PRIORS)]
    return any(number(metrics, p) is not None for metrics in measured.values() for p in paths)


def _cite(source: str) -> Link:
    return Link(source, SOURCES[source])


def _one_seed(found: Counterparts | None) -> list[Block]:
    if found:
        marked = (
            "A number is in bold where its model is better than each other of the row over the "
            f"{found.grid.seeds} seeds of the study, by paired t tests with Holm's correction for "
            "the models of the row. Where the study lacks a metric or a model, nothing is."
        )
    else:
        marked = "So no number of the table is marked as the best."
    return [
        Paragraph(
            [
                "Each model was trained once, from one seed, and a difference smaller than what "
                f"another seed gives means nothing. {marked} The ± beside an NLL is over test "
                "images, not over trainings. What a model has or lacks by its design does not "
                "depend on a seed."
            ]
        )
    ]
