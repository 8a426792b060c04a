"""The question that the page answers, and the answer in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mnist_vae.report.samples import best
from mnist_vae.report.study import Counterparts
from mnist_vae.report.tables import Metrics, number, series, show
from mnist_vae.study.answer import finding
from mnist_vae.study.summary import Spread

QUESTION = "With enough dimensions, does the VAE overcome the plain autoencoder?"


class Pair(NamedTuple):
    """The names of a VAE and an autoencoder of as many latent dimensions."""

    dims: int
    vae: str
    autoencoder: str


def answer(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    classifier: Metrics,
    real: Metrics,
    noun: str,
    study: Counterparts | None = None,
) -> list[str]:
    """What the page's models say to the question, in up to three sentences.

    Each autoencoder is set beside a VAE of as many dimensions, one with the notebook's objective
    if there is one, the pair of most dimensions first; without a pair the first sentence says so.
    Which is better the study says, where it has both: one seed does not. ``classifier`` and
    ``real`` are what was measured of the classifier and of real images, ``noun`` is what a class
    is called.
    """
    matched = pairs(models, measured)
    sentences = (
        _on_errors(matched, measured, study),
        _on_gains(matched, measured, real, noun, study),
        _on_made(measured, classifier, noun),
    )
    return [sentence for sentence in sentences if sentence]


def pairs(models: Mapping[str, Any], measured: Mapping[str, Metrics]) -> list[Pair]:
    """The models that can be set side by side, the pair of most dimensions first."""
    by_dims: dict[str, dict[int, list[str]]] = {"vae": {}, "ae": {}}
    for name, settings in models.items():
        if not isinstance(settings, Mapping):
            continue
        kind, dims = settings.get("kind"), settings.get("latent_dim")
        error = number(measured.get(name, {}), "distortion.squared_error")
        if kind in tuple(by_dims) and isinstance(dims, int) and error:
            by_dims[kind].setdefault(dims, []).append(name)
    return [
        # The notebook's objective is the default likelihood; min keeps the first of equals.
        Pair(dims, min(vaes, key=lambda n: models[n].get("likelihood", "fixed") != "fixed"), aes[0])
        for dims, vaes in sorted(by_dims["vae"].items(), reverse=True)
        if (aes := by_dims["ae"].get(dims))
    ]


def _on_errors(
    matched: Sequence[Pair], measured: Mapping[str, Metrics], study: Counterparts | None
) -> str:
    errors = _numbers(measured, "distortion.squared_error")
    if not matched:
        listed = series([f"{show(error, 3)} for {name}" for name, error in errors.items()])
        known = f": the squared error per test image is {listed}" if listed else ""
        return (
            f"This run cannot say, without a VAE and an autoencoder of as many dimensions{known}."
        )
    first, *others = (
        f"t {pair.dims} dimension{'' if pair.dims == 1 else 's'} the squared error per test image "
        f"is {_both(pair, errors)}, {_verdict(pair, study)}"
        for pair in matched
    )
    return f"{'; '.join([f'A{first}', *(f'a{other}' for other in others)])}."


def _verdict(pair: Pair, study: Counterparts | None) -> str:
    """What several seeds say of a pair, or that one says nothing."""
    found = study.compare(pair.vae, pair.autoencoder) if study else None
    if found is None:
        return "of one seed each, which decides nothing"
    return f"and over {found.difference.seeds} seeds {finding(found)}"


def _both(pair: Pair, errors: Mapping[str, float]) -> str:
    _, vae, autoencoder = pair
    gap = errors[vae] / errors[autoencoder] - 1
    return (
        f"{show(errors[vae], 3)} for {vae} and {show(errors[autoencoder], 3)} for {autoencoder} "
        f"({abs(gap):.1%} {'more' if gap > 0 else 'less'})"
    )


def _on_gains(
    matched: Sequence[Pair],
    measured: Mapping[str, Metrics],
    real: Metrics,
    noun: str,
    study: Counterparts | None,
) -> str:
    """What samples and latents of the first pair are worth, or of all models without a pair."""
    gains = [
        _on_samples(matched, measured, real, study),
        _on_probes(matched, measured, noun, study),
    ]
    listed = "; ".join(filter(None, gains))
    return f"Beyond reconstruction, {listed}." if listed else ""


def _on_samples(
    matched: Sequence[Pair],
    measured: Mapping[str, Metrics],
    real: Metrics,
    study: Counterparts | None,
) -> str:
    chosen = [name for pair in matched[:1] for name in pair[1:]] or list(measured)
    least = {name: found for name in chosen if (found := best(measured[name])) is not None}
    if not least:
        return ""
    standard = _numbers({name: measured[name] for name in least}, "samples.standard.frechet")
    references = [f"from N(0, I) {show(d, 3)} for {name}" for name, d in standard.items()]
    if (floor := number(real, "frechet")) is not None:
        references.append(f"of real images {show(floor, 3)}")
    listed = series([f"{show(distance, 3)} for {name}" for name, (_, distance) in least.items()])
    seeds = _over_seeds({name: path for name, (path, _) in least.items()}, study)
    return (
        f"the Fréchet distance of samples to the test images is {listed}, each from the best of "
        f"its priors{f' ({series(references)})' if references else ''}{seeds}"
    )


def _over_seeds(paths: Mapping[str, str], study: Counterparts | None) -> str:
    """A metric of models, by its path for each, over the seeds of the study if it has all."""
    spreads = {name: study.spread(path, name) if study else None for name, path in paths.items()}
    known = {name: each for name, each in spreads.items() if each is not None}
    if len(known) < len(paths):
        return ""
    listed = series([f"{_with_spread(each)} for {name}" for name, each in known.items()])
    return f", and over {min(each.seeds for each in known.values())} seeds of the study {listed}"


def _with_spread(found: Spread) -> str:
    """Mean ± standard deviation, to as many decimals."""
    mean = show(found.mean, 3)
    return f"{mean} ± {found.sd:.{len(mean.partition('.')[2])}f}"


def _on_made(measured: Mapping[str, Metrics], classifier: Metrics, noun: str) -> str:
    """What pictures are worth that a model made for the label asked for."""
    accuracies = _numbers(measured, "made.test_accuracy")
    if not accuracies:
        return ""
    listed = series([f"{show(value, 3)}% ({name})" for name, value in accuracies.items()])
    real = number(classifier, "test_accuracy")
    beside = "" if real is None else f", one trained on real pictures that of {show(real, 3)}%"
    return (
        f"A classifier trained only on labelled pictures that a model made names the {noun} of "
        f"{listed} of the real test images{beside}."
    )


def _on_probes(
    matched: Sequence[Pair],
    measured: Mapping[str, Metrics],
    noun: str,
    study: Counterparts | None,
) -> str:
    path = "latent.probe_accuracy"
    accuracies = _numbers(measured, path)
    chosen = [name for pair in matched[:1] for name in pair[1:]] or list(measured)
    listed = [
        f"{show(accuracies[name], 3)}% of the latents of {name}"
        for name in chosen
        if name in accuracies
    ]
    if not listed:
        return ""
    seeds = _over_seeds({name: path for name in chosen if name in accuracies}, study)
    return f"a linear probe reads the {noun} from {series(listed)}{seeds}"


def _numbers(measured: Mapping[str, Metrics], path: str) -> dict[str, float]:
    """The number of each model that has it, by the model's name."""
    return {
        name: value
        for name, metrics in measured.items()
        if (value := number(metrics, path)) is not None
    }
