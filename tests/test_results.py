"""The table that `make reproduce` ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import results


def test_columns_are_aligned_and_what_is_not_measured_is_a_dash() -> None:
    vae = {
        "distortion": {"squared_error": 6.333},
        "rate": {"kl": 156.85},
        "latent": {"probe_accuracy": 93.35},
        "samples": {"standard": {"frechet": 1005.4}, "classes": {"frechet": 12.46}},
    }
    rows = results.table({"vae16": vae, "a-longer-name": {"distortion": {"squared_error": 29.6}}})
    head, first, second = rows.splitlines()
    assert len({len(row) for row in (head, first, second)}) == 1 < len(head) <= 80
    assert first.split() == ["vae16", "6.33", "156.8", "93.3", "1005", "12.5"]
    assert second.split() == ["a-longer-name", "29.60", *"––––"]
    for heading in results.COLUMNS:
        end = head.index(heading) + len(heading)
        assert first[end - 1] != " " == first[end : end + 1].ljust(1)


def test_metrics_are_those_of_all_stages(tmp_path: Path) -> None:
    (tmp_path / "vae2.json").write_text(json.dumps({"rate": {"kl": 1}}))
    with pytest.raises(FileNotFoundError):
        results.read("vae2", tmp_path)
    (tmp_path / "vae2.samples.json").write_text(json.dumps({"samples": {}}))
    assert results.read("vae2", tmp_path) == {"rate": {"kl": 1}, "samples": {}}
