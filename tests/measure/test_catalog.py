"""The catalog of metrics: names that tell its numbers apart, sources, and numbers that exist."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mnist_vae.measure.catalog import METRICS, SOURCES

ROOT = Path(__file__).resolve().parents[2]
ALL = [metric for metrics in METRICS.values() for metric in metrics]


def test_every_metric_has_a_place_and_a_name_of_its_own() -> None:
    assert len({metric.path for metric in ALL}) == len(ALL)
    assert len({(metric.label, metric.unit) for metric in ALL}) == len(ALL)


def test_sources_are_known_and_none_is_left_over() -> None:
    assert {source for metric in ALL for source in metric.sources} == SOURCES.keys()
    assert all(
        url.startswith(("https://arxiv.org/", "https://doi.org/")) for url in SOURCES.values()
    )


def test_every_number_is_measured_of_some_model() -> None:
    def paths(tree: dict[str, Any]) -> Iterator[str]:
        for key, value in tree.items():
            below = paths(value) if isinstance(value, dict) else None
            yield from [key] if below is None else (f"{key}.{path}" for path in below)

    files = (ROOT / "reports/metrics").glob("*.json")
    measured = {path for file in files for path in paths(json.loads(file.read_text()))}
    assert {metric.path for metric in ALL} <= measured
    assert {metric.error for metric in ALL if metric.error} <= measured
