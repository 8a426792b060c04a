"""Hold the numbers in README and docs to the files that they come from.

Usage: python tools/quotes.py [--write]

docs/quotes.yaml lists, for each text, the pieces of it that hold numbers. {a.b:.2f} in a piece
stands for the number at the key b of a.json in reports/, formatted as Python does, and {vae16.c}
for one of the metrics of a model; other numbers come from no file and stand there as they are. Each
piece has to stand in its text, whatever the line breaks. With --write those numbers of the texts
that differ are replaced. A number with a decimal point or a percent sign, outside of code, has to
be in a piece.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ends
import yaml

ROOT = Path(__file__).resolve().parents[1]
QUOTES = "docs/quotes.yaml"
REFERENCE = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
VALUE = r"([^\s|`()]*[^\s|`().,;:%])"
CODE = re.compile(r"^ {4}[^\n]*|^```.*?^```|`[^`\n]*`|\]\([^)]*\)", re.MULTILINE | re.DOTALL)
NAMED = r"(?:Python|torch|CUDA|Ray|joblib|arXiv|macOS|DVC|openTSNE)[: ]"  # a version follows
NUMBER = re.compile(
    rf"(?P<version>{NAMED}\d[\d.]*(?: to \d[\d.]*)?)|(?<![\w.])\d[\d,]*(?:\.\d++(?!\.\d)|(?=\s?%))"
)
MISSING = (KeyError, IndexError, TypeError, ValueError)
"""What is raised where a reference leads to no number."""


class Piece:
    """A piece of a text with its references."""

    def __init__(self, template: str) -> None:
        """Take a piece as docs/quotes.yaml has it."""
        self.template = template = template.strip()
        self.references = REFERENCE.findall(template)
        plain = REFERENCE.split(template)[::3]
        self.pattern = re.compile(VALUE.join(map(_loosely, plain)))

    def values(self, facts: Mapping[str, Any]) -> list[str]:
        """The numbers as they should be written; raises KeyError for one that is not there."""
        return [format(_look_up(facts, path), spec) for path, spec in self.references]


def _loosely(text: str) -> str:
    """A pattern of a text that may have other line breaks."""
    return re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(text))


def _look_up(facts: Mapping[str, Any], path: str) -> Any:
    """The value at keys joined by dots, which a key may have too: then the longest one counts."""
    value: Any = facts
    keys = path.split(".")
    while keys:
        if isinstance(value, list):
            value, keys = value[int(keys[0])], keys[1:]
            continue
        parts = (n for n in range(len(keys), 1, -1) if ".".join(keys[:n]) in value)
        count = next(parts, 1)
        value, keys = value[".".join(keys[:count])], keys[count:]
    return value


def read_facts(root: Path = ROOT) -> dict[str, Any]:
    """All numbers by name: each reports/NAME.json, and of each model the metrics of all stages.

    Of the study, ``study.GRID.MODEL.DIMENSIONS.METRIC`` is the row of a summary.

    Raises ValueError for a file that is damaged.
    """
    facts: dict[str, Any] = {}
    files = [*root.glob("reports/*.json"), *root.glob("reports/metrics/*.json")]
    for path in sorted(files):
        name = path.name.split(".")[0]
        try:
            facts[name] = facts.get(name, {}) | json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path.relative_to(root)}: damaged: {error}") from None
    facts["study"] = {
        path.parent.name: _summary(path) for path in root.glob("reports/study/*/summary.csv")
    }
    return facts


def _summary(path: Path) -> dict[str, Any]:
    """Numbers of a grid by model, dimensions and metric."""
    found: dict[str, Any] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            model, dims, metric = row.pop("model"), row.pop("latent_dim"), row.pop("metric")
            of_model = found.setdefault(model, {}).setdefault(dims, {})
            of_model[metric] = {key: float(value) for key, value in row.items() if value}
    return found


def differences(root: Path = ROOT) -> Iterator[str]:
    """A line for each piece that does not stand in its text, or not with the right numbers, and for
    each number that is in no piece."""
    try:
        facts, listed = read_facts(root), _pieces(root)
        texts = {name: (root / name).read_text(encoding="utf-8") for name in listed}
    except (OSError, ValueError, yaml.YAMLError) as error:
        yield f"{QUOTES} and what it names cannot be read: {error}"
        return
    for name, text in texts.items():
        pieces = listed[name]
        held: list[tuple[int, int]] = []
        for piece in pieces:
            found = list(piece.pattern.finditer(text))
            held += [match.span() for match in found]
            try:
                wanted = piece.values(facts)
            except MISSING as error:
                yield f"{QUOTES}: {piece.template!r}: no such number: {error}"
                continue
            if not found:
                yield f"{name}: lacks {piece.template!r}, which {QUOTES} lists"
            for match in found:
                for (path, _), there, right in zip(
                    piece.references, match.groups(), wanted, strict=True
                ):
                    if there != right:
                        line = text.count("\n", 0, match.start()) + 1
                        yield f"{name}:{line}: {there} is {right} by {path}: run make quotes"
        code = [match.span() for match in CODE.finditer(text)]
        for match in NUMBER.finditer(text):
            inside = any(start <= match.start() < end for start, end in held + code)
            if not inside and not match["version"]:
                line = text.count("\n", 0, match.start()) + 1
                yield f"{name}:{line}: {match[0]} is in no piece of {QUOTES}: add its sentence"


def write(root: Path = ROOT) -> None:
    """Bring the numbers of all texts up to date, but for those that are not in the files."""
    facts = read_facts(root)
    for name, pieces in _pieces(root).items():
        text = (root / name).read_text(encoding="utf-8")
        for piece in pieces:
            try:
                values = piece.values(facts)
            except MISSING:
                continue  # as differences says
            for match in reversed(list(piece.pattern.finditer(text))):
                for (start, end), value in reversed([*zip(match.regs[1:], values, strict=True)]):
                    text = text[:start] + value + text[end:]
        (root / name).write_text(text, encoding="utf-8")


def _pieces(root: Path) -> dict[str, list[Piece]]:
    listed = yaml.safe_load((root / QUOTES).read_text(encoding="utf-8"))
    return {name: [Piece(template) for template in pieces] for name, pieces in listed.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace the numbers that differ")
    if parser.parse_args().write:
        write()
    faults = list(differences())
    print("".join(f"error: {line}\n" for line in faults), end="", file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    ends.run(main)
