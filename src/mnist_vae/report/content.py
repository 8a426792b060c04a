"""What stands on the page, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_vae.errors import InputError
from mnist_vae.measure.catalog import METRICS, SAMPLED, Metric, explain
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report import study
from mnist_vae.report.answer import QUESTION, answer
from mnist_vae.report.audits import audits
from mnist_vae.report.document import (
    Block,
    DefinitionList,
    Fold,
    Gallery,
    Inline,
    Link,
    Page,
    Paragraph,
    Picture,
    Section,
)
from mnist_vae.report.models import describe, ordered, short
from mnist_vae.report.pictures import Sizes, compared, others, side_by_side, strips
from mnist_vae.report.provenance import data_lines, provenance
from mnist_vae.report.samples import PRIORS, samples
from mnist_vae.report.study import Counterparts, Grid
from mnist_vae.report.tables import (
    ABSENT,
    Metrics,
    cite,
    comparison,
    number,
    row_name,
    series,
    show,
)
from mnist_vae.study.summary import is_sweep


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
    links: Sequence[Link] = (),
) -> Page:
    """The page, from what was trained, what was measured and the figures that there are.

    ``models`` are those of params.yaml and ``measured`` their metrics, by name; ``sizes`` has the
    paths ``figures/MODEL/FIGURE.png`` and ``compared/FIGURE.png``; ``classifier`` is what was
    measured of the classifier and ``real`` of real images, nothing if there is no classifier, and
    ``data`` what the images are; ``settings`` are the other params to show, with ``recipe``;
    ``facts`` are further lines of provenance, each with its name. ``grids`` are those that the
    study ran on these images, whose figures ``sizes`` has as study/GRID/figures/FIGURE.png.
    ``links`` lead to the code and its documentation. Sections without content are left out.

    Raises InputError where there is no model, or where a model's numbers allow no audit.
    """
    if not models:
        raise InputError("params.yaml: models: found none, must name at least one")
    models = ordered(models)
    measured = {name: measured[name] for name in models if name in measured}
    names = {name: short(model) for name, model in models.items()}
    facts = {**data_lines(data), **facts}
    found = study.counterparts(grids, str(settings.get("recipe")), models)
    sentences = answer(models, measured, classifier, real, data.noun, found)
    answered = study.opening(found.grid, sizes) if found else []
    own = [
        Paragraph([sentences[0]], lead=True),
        *_gallery(compared("answer", _listed(measured, "distortion.squared_error"), sizes)),
    ]
    said = sentences if answered else sentences[1:]
    sections = [
        Section(QUESTION, [*(answered or own), *_models(models)]),
        Section(
            "What the answer rests on",
            [
                *(study.grounds(found.grid, sizes) if found else []),
                *(Paragraph([sentence]) for sentence in said),
                *_one_seed(found),
            ],
        ),
        Section(
            "Reconstructions",
            strips(names, sizes, "reconstructed", RECONSTRUCTIONS, first="originals"),
        ),
        Section("Models compared", _comparison(models, measured, data, found)),
        Section("Rate and distortion", _rates(measured, sizes, grids)),
        Section("Is the KL too weak or too strong?", audits(measured, real)),
        Section(
            "Samples",
            [
                *side_by_side(names, sizes, ("samples",), SAMPLES),
                *_folded("Samples in numbers", samples(measured, real)),
            ],
        ),
        Section(
            f"One latent of each {data.noun}",
            strips(names, sizes, "class_digits", CLASS_DIGITS.format(noun=data.noun)),
        ),
        Section("Between latents", side_by_side(names, sizes, BETWEEN, _between(data))),
        Section("Maps of the latents", side_by_side(names, sizes, ("latent_map",), _mapped(data))),
        Section("Training", _training(measured, sizes)),
        Section("More figures of each model", others(models, sizes, SHOWN)),
        Section("What the study found", study.section(grids, found and found.grid, sizes)),
        Section(
            "How each number is made",
            _folded("Each with its source", _definitions(measured, classifier, data)),
        ),
        Section("How this page was made", provenance(models, measured, settings, facts)),
    ]
    title = f"Variational autoencoders on {data.dataset}"
    return Page(title, [section for section in sections if section.blocks], links)


BETWEEN = ("interpolation", "manifold")
SHOWN = ("originals", "reconstructed", "samples", "class_digits", *BETWEEN, "latent_map")
"""Figures of a model that have a place of their own."""

RECONSTRUCTIONS = (
    "The same test images as each model reconstructs them, from the mean of the posterior, where "
    "the notebook decodes a draw."
)
SAMPLES = (
    "Decoded draws beside real test images: from N(0, I), which only a VAE is trained towards, and "
    "from priors that were fitted to the latents of training images afterwards. The last sheet is "
    "a check that samples are no copies."
)
CLASS_DIGITS = (
    "The latent in the middle of each class, decoded; of a VAE a draw from the mean posterior. "
    "Where the classifier reads another {noun} in it, that stands below."
)


def _between(data: DatasetFacts) -> str:
    if not data.classes:
        return "Decoded from all over the plane of two latent dimensions."
    return (
        "Decoded between the latents of four classes, one at each corner; of two latent "
        "dimensions, the whole plane."
    )


def _mapped(data: DatasetFacts) -> str:
    coloured, ring = (
        (", in the colour of its class", "with a latent of each class as a ring, and ")
        if data.classes
        else ("", "")
    )
    return (
        f"The latent of each test image{coloured}. Two dimensions are shown as they are, {ring}of "
        "a VAE with its prior as circles at 1, 2 and 3σ. More are laid out by t-SNE, on which "
        "distances between clusters mean little."
    )


def _gallery(pictures: Sequence[Picture]) -> list[Block]:
    return [Gallery(pictures)] if pictures else []


def _folded(summary: str, blocks: Sequence[Block]) -> list[Block]:
    return [Fold(summary, blocks)] if blocks else []


def _models(models: Mapping[str, Any]) -> list[Block]:
    entries = [(name, [f"{describe(model)}."]) for name, model in models.items()]
    notebook = (
        "The notebook, of which this page speaks, is the one that the project grew out of: it "
        "trained such a VAE for 300 epochs, and claimed that with enough dimensions it overcomes "
        "the plain autoencoder."
    )
    return [DefinitionList(entries, short=True), Paragraph([notebook])]


def _listed(measured: Mapping[str, Metrics], path: str) -> str:
    """A metric of all models that have it, in words."""
    values = {name: number(metrics, path) for name, metrics in measured.items()}
    return f"{series([f'{n} {show(v, 3)}' for n, v in values.items() if v is not None])}."


def _training(measured: Mapping[str, Metrics], sizes: Sizes) -> list[Block]:
    introduction = (
        "The part of the loss that all models share, over the training images while the weights "
        "still moved. A VAE decodes a draw from the posterior."
    )
    pictures = compared("losses", _listed(measured, "train.squared_error"), sizes)
    return [Paragraph([introduction]), Gallery(pictures)] if pictures else []


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
    unlabelled = [] if data.classes else [Paragraph([UNLABELLED])]
    first, rest = comparison(models, measured, found)
    rows = sum(map(len, rest.groups.values()))
    more = [Fold(f"{rows} more rows", [rest])] if rows else []
    return [Paragraph([legend]), *unlabelled, *([first] if first.groups[""] else []), *more]


UNLABELLED = (
    "These images have no labels. So there are no figures of classes, nothing says how well "
    "latents keep classes apart, and there is no classifier: Fréchet distances, which would be of "
    "its features, are left out."
)


def _rates(measured: Mapping[str, Metrics], sizes: Sizes, grids: Sequence[Grid]) -> list[Block]:
    coordinates = [
        f"{name} at {show(rate)} nats and {show(distortion)}"
        for name, metrics in measured.items()
        if (rate := number(metrics, "rate.kl")) is not None
        and (distortion := number(metrics, "distortion.squared_error_sampled")) is not None
    ]
    plane = compared("rate_distortion", f"{'; '.join(coordinates)}.", sizes)
    rates = compared("rates", _listed(measured, "rate.kl"), sizes)
    if not plane:
        return []
    sweep = (
        " Thin lines are the study's sweep of the KL weight, which stands beside the points where"
        " there is room."
        if any(is_sweep(grid.table) for grid in grids)
        else ""
    )
    introduction = (
        "Each VAE pays for exact images (a low distortion) with what the latent tells about them "
        "(a high rate); of two models, the one with less of both is better ("
    )
    lines = f"). An autoencoder has no rate: a dashed line.{sweep}"
    return [
        Paragraph([introduction, cite("Alemi et al. 2018"), lines]),
        Gallery([*plane, *rates]),
    ]


def _definitions(
    measured: Mapping[str, Metrics], classifier: Metrics, data: DatasetFacts
) -> list[Block]:
    entries = []
    for metric in (*(metric for metrics in METRICS.values() for metric in metrics), *SAMPLED):
        if not _is_measured(metric, measured):
            continue
        parts: list[Inline] = [explain(metric, data)]
        for source in metric.sources:
            parts += [" " if len(parts) == 1 else ", ", cite(source)]
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


def _one_seed(found: Counterparts | None) -> list[Block]:
    if found:
        marked = (
            "A number of the table is in bold where its model is better than each other of the row "
            f"over the {found.grid.seeds} seeds of the study, by paired t tests with Holm's "
            "correction for the models of the row and for the dimensions that the study looked at. "
            "Where the study lacks a metric or a model, nothing is."
        )
    else:
        marked = "So no number of the table is marked as the best."
    return [
        Paragraph(
            [
                "Each model on this page was trained once, from one seed, and a difference smaller "
                f"than what another seed gives means nothing. {marked} The ± beside an NLL is over "
                "test images, not over trainings. What a model has or lacks by its design does not "
                "depend on a seed."
            ]
        )
    ]
