"""The catalog of metrics: names that tell its numbers apart, sources, and numbers that exist."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.pages import DATA

from mnist_vae.measure.catalog import METRICS, SAMPLED, SOURCES, explain, lookup, words

ROOT = Path(__file__).resolve().parents[2]
ALL = [*(metric for metrics in METRICS.values() for metric in metrics), *SAMPLED]


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
    measured |= {path.removeprefix("samples.classes.") for path in measured}
    assert {metric.path for metric in ALL} <= measured
    assert {metric.error for metric in ALL if metric.error} <= measured


def test_a_number_is_found_by_its_path_or_is_none() -> None:
    metrics = {"rate": {"kl": 98.7}, "epochs": 4}
    assert (lookup(metrics, "rate.kl"), lookup(metrics, "epochs")) == (98.7, 4)
    assert lookup(metrics, "rate") == {"kl": 98.7}
    for path in ("rate.nll", "samples.standard", "epochs.kl", "rate.kl.mean"):
        assert lookup(metrics, path) is None


def test_what_is_said_of_a_data_set() -> None:
    assert words(DATA) == {
        "train_images": 60_000,
        "pixels": "784 pixels",
        "dimensions": 784,
        "power": "⁷⁸⁴",
        "noun": "digit",
        "nouns": "digits",
        "classes": 10,
        "entropy": pytest.approx(math.log(10)),
        "neighbours": 10,
    }
    pets = msgspec.structs.replace(DATA, dataset="pets", channels=3, classes=())
    found = words(pets)
    assert (found["noun"], found["nouns"], found["classes"]) == ("class", "classes", 0)
    assert (found["pixels"], found["entropy"]) == ("784 pixels, 3 colours each,", 0)


def test_explanations_are_of_the_data_set() -> None:
    mnist = " ".join(explain(metric, DATA) for metric in ALL)
    for text in ("60,000", "784 pixels", "[0, 1]⁷⁸⁴", "(784 ln 2)", "digit"):
        assert text in mnist
    assert "ln 10 = 2.30" in mnist
    small = msgspec.structs.replace(
        DATA, dataset="pets", train_images=90, test_images=15, image_size=64, channels=3, classes=()
    )
    pets = " ".join(explain(metric, small) for metric in ALL)
    for text in ("the 90 training", "4,096 pixels, 3 colours each,", "12288", "the 7 neighbours"):
        assert text in pets.replace("12,288", "12288")
    assert "digit" not in pets
    assert not {"{", "}"} & set(mnist + pets)
