"""The numbers and files that README.md names are those of the project."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.host import MODEL
from support.project import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
MODELS = yaml.safe_load((ROOT / "params.yaml").read_text())["models"]


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "reports" / name).read_text())
    return found


def row(model: str) -> str:
    metrics = read(f"metrics/{model}.json")
    samples = read(f"metrics/{model}.samples.json")["samples"]
    kl = f"{metrics['rate']['kl']:.1f}" if "rate" in metrics else "–"
    standard = f"{samples['standard']['frechet']:.0f}" if "standard" in samples else "–"
    return (
        f"| `{model}` | {metrics['distortion']['squared_error']:.2f} | {kl} | "
        f"{metrics['latent']['probe_accuracy']:.1f} | {standard} | "
        f"{samples['classes']['frechet']:.1f} |"
    )


@pytest.mark.parametrize("model", MODELS)
def test_the_table_is_that_of_the_committed_metrics(model: str) -> None:
    assert row(model) in README.splitlines()


def test_what_made_pictures_are_worth_is_what_was_measured() -> None:
    made = read("metrics/vae16.made.json")["made"]["test_accuracy"]
    real = read("classifier.json")["test_accuracy"]
    text = " ".join(README.split())
    assert f"reads {made:.1f}% of the real test images, one trained on real pictures" in text
    assert f"pictures {real:.1f}%." in text


@pytest.mark.parametrize("path", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("target", re.findall(r"make ([a-z-]+)", README))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_layout_names_every_room_and_every_folder() -> None:
    tracked = run(ROOT, "git", "ls-files").stdout.splitlines()
    folders = {path.split("/")[0] for path in tracked if re.match(r"\w+/", path)}
    rooms = {path.parent.name for path in (ROOT / "src/mnist_vae").glob("*/__init__.py")}
    assert {"docs", "tests"} <= folders
    assert {"data", "report"} <= rooms
    layout = README.partition("## Layout")[2].partition("\n## ")[0]
    assert folders | rooms <= set(re.findall(r"^ +(\w+)/", layout, re.MULTILINE))


def test_the_code_runs_and_gives_the_shapes_that_stand_beside_it(project: Path) -> None:
    """In a small project, with its 2-d model in the place of the 16-d one."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shapes = re.findall(r"float32 (\[.*?\])", code)
    code = code.replace("vae16", MODEL) + "\nfor array in sevens, digits: print([*array.shape])"
    done = run(project, sys.executable, "-W", "error", "-c", code)
    assert done.stdout.splitlines() == shapes, done.stderr
