"""What the page was made from, and how to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mnist_vae.measure.catalog import lookup
from mnist_vae.measure.dataset import DatasetFacts
from mnist_vae.report.document import Block, Code, CodeBlock, DefinitionList, Paragraph
from mnist_vae.report.tables import Metrics, series


def provenance(
    models: Mapping[str, Any],
    measured: Mapping[str, Metrics],
    settings: Mapping[str, Any],
    facts: Mapping[str, str],
) -> list[Block]:
    """The facts, each with its name, the commands, and the settings as in params.yaml."""
    devices = [lookup(metrics, "device") for metrics in measured.values()]
    lines = dict(facts)
    if names := sorted({device for device in devices if isinstance(device, str)}):
        lines["Trained on"] = series(names)
    shown = yaml.safe_dump(
        {**settings, "models": dict(models)}, sort_keys=False, allow_unicode=True
    )
    return [
        DefinitionList([(name, [value]) for name, value in lines.items()]),
        Paragraph(
            ["To make it again, run one of these in the top folder; only what changed runs:"]
        ),
        CodeBlock(
            "make reproduce  # the whole pipeline\n"
            "dvc repro report  # this page, and what it needs\n"
            "dvc exp run -S recipe=notebook  # the notebook's own 300 epochs"
        ),
        Paragraph(["The settings that it was made with, from ", Code("params.yaml"), ":"]),
        CodeBlock(shown.rstrip()),
    ]


def data_lines(data: DatasetFacts) -> dict[str, str]:
    """What the images are, as lines with their names."""
    count, size = len(data.classes), f"{data.image_size} x {data.image_size}"
    colours = {
        "none": "grey" if data.channels == 1 else "in colour",
        "threshold": "black and white, at half of white",
        "stochastic": "black and white, each pixel white with the probability that its grey is",
    }
    classes = f"in {count} classes" if count else "without labels"
    return {
        "Images": f"{data.dataset}: {data.train_images:,} for training and {data.test_images:,} "
        f"for test, {size} pixels, {colours[data.binarise]}, {classes}",
        "Pixels of the training images, SHA-256": data.train_sha256,
    }


def versions(folder: Path) -> str:
    """The packages whose code decides results, each a file with its version, to read."""
    read = {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.iterdir())}
    return ", ".join(f"{name} {version.strip()}" for name, version in read.items())
