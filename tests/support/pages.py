"""Pages to read back, and models with made-up metrics to write them about."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from mnist_vae.figures import style
from mnist_vae.files import trials
from mnist_vae.files.store import Arrays
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report import content, document
from mnist_vae.report.pictures import CAPTIONS, Sizes
from mnist_vae.report.study import Counterparts, Grid, counterparts
from support.studies import table_of

# ---- Reading ------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Elements with their attributes, and the text that is shown; refuses a wrong nesting."""

    VOID = frozenset({"meta", "link", "img", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & {*self.open}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def assert_shows(self, text: str, plain: Reader) -> None:
        """``text`` stands as text wherever the ``plain`` page has the word plain."""
        assert self.tags == plain.tags
        assert self.text.count(" ".join(text.split())) == plain.text.count("plain") > 10
        assert ("img", text) in self.attributes("alt")

    def attributes(self, name: str) -> list[tuple[str, str]]:
        return [(tag, attrs[name] or "") for tag, attrs in self.elements if name in attrs]


def rendered(markdown: str) -> Reader:
    """Markdown as CommonMark with GitHub's tables shows it."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Reader(parser.render(markdown))


# ---- Text that means something to a parser ------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "{{ 7 * 7 }} {% raw %} {# x #}",
    "a | b || c",
    "**bold** _it_ `code` ~~no~~ \\",
    "[text](https://example.com) ![x](y)",
    "https://example.com and www.example.com",
    "&lt;b&gt; &amp;",
    "# no heading",
    "two\nlines",
    "$x$ and \\(y\\)",
    "ünïcode 数",
]


def everywhere(text: str) -> document.Page:
    """A page of every kind of block, with ``text`` wherever a text can stand."""
    blocks: list[document.Block] = [
        document.Paragraph(
            [text, document.Link(text, "https://arxiv.org/abs/1"), document.Code("code")], lead=True
        ),
        document.Heading(text),
        document.Table(
            text, ["", text], {text: [[document.Cell(text), document.Cell(text, best=True)]]}
        ),
        document.Gallery([document.Picture(f"figures/{text}/a.png", text, text, (8, 4))]),
        document.Strips([(text, document.Picture(f"figures/{text}/b.png", text, "", (8, 4)))]),
        document.DefinitionList([(text, [text])]),
        document.CodeBlock(text),
        document.Fold(text, [document.DefinitionList([(text, [text])], short=True)]),
    ]
    return document.Page(
        text,
        [document.Section(text, blocks), document.Section("Other", [document.Paragraph([text])])],
        links=[document.Link(text, f"https://example.org/{text}")],
    )


# ---- Models -------------------------------------------------------------------------------------

MODELS: dict[str, Any] = {
    "vae16": {"kind": "vae", "latent_dim": 16, "kl_weight": 1 / 8192},
    "vae2": {"kind": "vae", "latent_dim": 2, "kl_weight": 1 / 1024},
    "ae16": {"kind": "ae", "latent_dim": 16},
    "ae2": {"kind": "ae", "latent_dim": 2},
    "sigma16": {"kind": "vae", "latent_dim": 16, "likelihood": "gaussian", "kl_weight": 1},
}
PARAMS = {
    "recipe": "fast",
    "seed": 0,
    "recipes": {"fast": {"epochs": 10}},
    "evaluate": {"samples": 2, "images": 3},
    "made": {"vae16": 50},
    "study": {"grids": {"main": {}}},
    "figures": {"dpi": 50},
}
DATA = DatasetFacts(
    dataset="MNIST",
    train_images=60_000,
    test_images=10_000,
    image_size=28,
    channels=1,
    classes=tuple("0123456789"),
    train_sha256="ab12",
)
ERRORS = {"vae16": 6.0, "vae2": 30.0, "ae16": 6.5, "ae2": 29.0, "sigma16": 8.0}


SEEN = {"frechet": 3.1, "entropy": 2.2, "confident": 96.0, "precision": 90.0, "recall": 70.0}
SEEN |= {"too_near": 1.5}
REAL = {"frechet": 0.4, "frechet_deviation": 0.1, "entropy": 2.3, "confident": 98.0}
REAL |= {"precision": 85.0, "recall": 86.0}


def metrics_of(name: str) -> dict[str, Any]:
    """Metrics as the stages write them together, with made-up numbers."""
    error, model = ERRORS[name], MODELS[name]
    metrics: dict[str, Any] = {
        "epochs": 10,
        "parameters": 213_537,
        "train": {"loss_per_batch_of_512": 512 * error, "loss": error, "squared_error": error},
        "distortion": {"squared_error": error, "per_pixel": error / 784, "psnr": 40 - error},
        "latent": {"knn_accuracy": 96.5, "probe_accuracy": 100 - error, "silhouette": 0.1},
        "map": {"trustworthiness": 0.98, "preservation": 0.4},
        "pca": {"trustworthiness": 0.8, "preservation": 0.04},
        "samples": {"reconstructions": SEEN | {"as_asked": 98.0}},
    }
    for prior, factor in {"gaussian": 5, "mixture": 2, "classes": 1}.items():
        metrics["samples"][prior] = SEEN | {"frechet": factor * error, "too_near_rebuilt": 0.5}
    metrics["samples"]["classes"]["as_asked"] = 97.0
    if name == "vae16":
        metrics["made"] = {"test_accuracy": 98.5, "pictures": 50}
    if model["kind"] == "ae":
        return metrics
    gaussian = model.get("likelihood") == "gaussian"
    shown = 1.01 * error / 784
    implied = shown if gaussian else model["kl_weight"] / 2
    likelihood = {"elbo": 700.0, "nll": -750.0, "nll_standard_error": 1.5, "effective_samples": 9.0}
    metrics["train"]["kl"] = 100.0
    metrics["distortion"]["squared_error_sampled"] = 1.01 * error
    metrics["rate"] = {"kl": 100.0, "active_units": 16, "per_dimension": [6.25] * 16}
    metrics["likelihood"] = {"variance": implied, **likelihood, "bits_per_dimension": -1.4}
    if not gaussian:
        metrics["likelihood"]["calibrated"] = {"variance": shown, **likelihood}
    metrics["audit"] = {
        "beta": implied,
        "implied_variance": implied,
        "calibrated_variance": shown,
        "ratio": shown / implied,
    }
    metrics["samples"]["standard"] = SEEN | {"frechet": 10 * error, "too_near_rebuilt": 0.0}
    return metrics


def project_files(models: Mapping[str, Any], data: DatasetFacts = DATA) -> dict[str, bytes]:
    """What the report stage reads, by path: of a project with these models."""
    drawn = {name: style.png(Figure((2.4, 1.8)), 50) for name in CAPTIONS}
    drawn["reconstructed"] = style.png(Figure((2.4, 1.2)), 50)
    files = {
        "params.yaml": json.dumps({**PARAMS, "models": dict(models)}).encode(),
        "reports/real.json": json.dumps(REAL).encode(),
        "reports/play.json": b'{"models": []}',
        "reports/explorer.html": b"<!doctype html>",
        "versions/torch": b"2.15.0\n",
        "pyproject.toml": b'[project]\nurls = {Repository = "https://example.org/code"}\n',
        "reports/classifier.json": json.dumps(
            {"test_accuracy": 99.3, "data": msgspec.to_builtins(data)}
        ).encode(),
    }
    for name in models:
        metrics = metrics_of(name)
        for kind in ("samples", "made"):
            part = {kind: metrics.pop(kind, {})}
            files[f"reports/metrics/{name}.{kind}.json"] = json.dumps(part).encode()
        files[f"reports/metrics/{name}.json"] = json.dumps(metrics).encode()
        files[f"reports/curves/{name}.csv"] = b"epoch,loss,squared_error\n1,9.5,9\n2,8.5,8\n"
        files |= {f"reports/figures/{name}/{key}.png": data for key, data in drawn.items()}
    return files


def measured(*names: str) -> dict[str, dict[str, Any]]:
    """Metrics of the models named, or of all."""
    return {name: metrics_of(name) for name in names or MODELS}


def grid_of(
    errors: Mapping[tuple[str, int], Sequence[float]], metric: str = "squared_error"
) -> Grid:
    """A grid with these numbers of models by seed, whose settings are those of ``MODELS``."""
    table = table_of(errors)
    names = [f"{m}{d}" for m, d in zip(table["model"], table["latent_dim"], strict=True)]
    weights = [MODELS[name].get("kl_weight", math.nan) for name in names]
    table["kl_weight"] = np.array(weights)
    table["likelihood"] = np.array([MODELS[name].get("likelihood", "fixed") for name in names])
    table[metric] = table.pop("squared_error")
    return Grid("main", table, ["Yes: it does.", "By a test."], "It is new: `make study`.")


def write_grid(project: Path, table: Arrays, sentences: object) -> None:
    """What the study leaves of a grid, but for its figures."""
    rows = [
        {name: column[row].item() for name, column in table.items() if column[row] == column[row]}
        for row in range(len(table["seed"]))
    ]
    trials.write(project / "reports/study/main/trainings.csv", rows)
    answer = project / "reports/study/main/answer.json"
    answer.write_text(json.dumps({"sentences": sentences}))


def found_by(
    errors: Mapping[tuple[str, int], Sequence[float]], metric: str = "squared_error"
) -> Counterparts:
    """What the page finds of its models in such a grid."""
    found = counterparts([grid_of(errors, metric)], "fast", MODELS)
    assert found
    return found


def compose(
    metrics: Mapping[str, Mapping[str, Any]],
    sizes: Sizes | None = None,
    data: DatasetFacts = DATA,
    grids: Sequence[Grid] = (),
) -> document.Page:
    """The page about models with these metrics."""
    models = {name: MODELS.get(name, {}) for name in metrics}
    classifier = {"test_accuracy": 99.3} if data.classes else {}
    real = REAL if data.classes else {}
    settings, facts = {"recipe": "fast"}, {"Machine": "abc"}
    return content.compose(
        models, metrics, sizes or {}, classifier, real, data, settings, facts, grids
    )
