"""Print the results of all models of params.yaml as a table. Usage: python tools/results.py"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

COLUMNS = {
    "squared error": ("distortion.squared_error", ".2f"),
    "KL, nats": ("rate.kl", ".1f"),
    "probe, %": ("latent.probe_accuracy", ".1f"),
    "Fréchet, N(0, I)": ("samples.standard.frechet", ".0f"),
    "fitted prior": ("samples.classes.frechet", ".1f"),
}
"""Metrics by their headings: all measured on test images, as reports/README.md says."""
MISSING = "–"


def table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """An aligned table with a row for each model."""
    rows = [["", *COLUMNS]]
    rows += [
        [name, *(_cell(of_model, *column) for column in COLUMNS.values())]
        for name, of_model in metrics.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _cell(metrics: Mapping[str, Any], path: str, spec: str) -> str:
    value: Any = metrics
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return format(value, spec) if isinstance(value, int | float) else MISSING


def read(name: str, folder: Path = Path("reports/metrics")) -> dict[str, Any]:
    """What all stages measured of a model."""
    files = [folder / f"{name}.json", folder / f"{name}.samples.json"]
    return {key: value for file in files for key, value in json.loads(file.read_text()).items()}


def main() -> int:
    models = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["models"]
    try:
        print(table({name: read(name) for name in models}))
    except FileNotFoundError as error:
        print(f"error: {error.filename}: not found; make reproduce makes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
