"""Print the results of all models of params.yaml as a table. Usage: python tools/table.py"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

COLUMNS = {
    "squared error": ("squared_error", ".2f"),
    "KL, nats": ("kl", ".1f"),
    "probe, %": ("probe_accuracy", ".1f"),
    "Fréchet, N(0, I)": ("frechet", ".0f"),
    "fitted prior": ("frechet_fitted", ".1f"),
}
"""Results by their headings: all measured on test images, as reports/README.md says."""
MISSING = "–"


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """An aligned table with a row for each model."""
    rows = [["", *COLUMNS]]
    for name, found in results.items():
        cells = [
            format(found[key], spec) if key in found else MISSING for key, spec in COLUMNS.values()
        ]
        rows.append([name, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def read(name: str, folder: Path = Path("reports/results")) -> dict[str, Any]:
    """The results of a model."""
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return found


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
