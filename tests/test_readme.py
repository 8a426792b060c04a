"""The numbers and files that README.md names are those of the project."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODELS = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]


def row(model: str) -> str:
    found = json.loads((ROOT / f"reports/metrics/{model}.json").read_text())
    kl = f"{found['rate']['kl']:.1f}" if "rate" in found else "–"
    fid = found["samples"].get("frechet_prior")
    return (
        f"| `{model}` | {found['distortion']['squared_error']:.2f} | {kl} | "
        f"{found['latent']['probe_accuracy']:.1f} | {'–' if fid is None else f'{fid:.0f}'} |"
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_table_is_that_of_the_committed_metrics(model: str) -> None:
    assert row(model) in README.splitlines()


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", re.findall(r"make ([a-z-]+)", README))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_layout_names_every_module() -> None:
    for path in (ROOT / "src/mnist_vae").glob("[a-z]*.py"):
        assert f" {path.name} " in README, path.name
