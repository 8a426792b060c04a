"""The table that `make reproduce` ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import table


def test_columns_are_aligned_and_what_is_not_measured_is_a_dash() -> None:
    vae = {
        "squared_error": 6.333,
        "kl": 156.85,
        "probe_accuracy": 93.35,
        "frechet": 1005.4,
        "frechet_fitted": 12.46,
    }
    rows = table.table({"vae16": vae, "a-longer-name": {"squared_error": 29.6}})
    head, first, second = rows.splitlines()
    assert len({len(row) for row in (head, first, second)}) == 1 < len(head) <= 80
    assert first.split() == ["vae16", "6.33", "156.8", "93.3", "1005", "12.5"]
    assert second.split() == ["a-longer-name", "29.60", *"––––"]
    for heading in table.COLUMNS:
        end = head.index(heading) + len(heading)
        assert first[end - 1] != " " == first[end : end + 1].ljust(1)


def test_results_are_those_of_the_stage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        table.read("vae2", tmp_path)
    (tmp_path / "vae2.json").write_text(json.dumps({"kl": 1}))
    assert table.read("vae2", tmp_path) == {"kl": 1}
