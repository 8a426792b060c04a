"""What is left over, and what must never be taken for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prune import orphans

KINDS = ("data/latents/{}.safetensors", "reports/metrics/{}.samples.json", "reports/figures/{}")


def repo_of(root: Path, keys: list[str]) -> Any:
    """What is looked at of a repository with models and a stage of all; its files are there."""
    stages = [("report", ["reports/index.html", "reports/figures/all.png"])]
    stages += [(f"sample@{key}", [kind.format(key) for kind in KINDS]) for key in keys]
    stages += [(f"study@{key}", [f"reports/study/{key}/table.csv"]) for key in keys]
    made = [out for _, outs in stages for out in outs]
    for name in (*made, "README.md", "reports/benchmark.json", "data/mnist/raw", "src/a.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return SimpleNamespace(
        root_dir=str(root),
        index=SimpleNamespace(
            stages=[
                SimpleNamespace(
                    path=str(root / "dvc.yaml"),
                    name=name,
                    outs=[SimpleNamespace(fs_path=str(root / out)) for out in outs],
                )
                for name, outs in stages
            ]
        ),
    )


@pytest.mark.parametrize(
    "keys", [["vae2"], ["vae2", "ae2"], ["data", "reports"], ["figures", "src", "metrics"], []]
)
def test_nothing_is_left_over_whatever_models_are_called(tmp_path: Path, keys: list[str]) -> None:
    assert orphans(repo_of(tmp_path, keys)) == ([], {})


@pytest.mark.parametrize("key", ["vae2", "data", "reports", "figures"])
def test_what_a_removed_model_left_is_found(tmp_path: Path, key: str) -> None:
    repo_of(tmp_path, ["old", key])
    left = [*(kind.format("old") for kind in KINDS), "reports/study/old"]
    assert orphans(repo_of(tmp_path, [key])) == ([*map(Path, sorted(left))], {})
