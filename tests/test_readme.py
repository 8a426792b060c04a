"""The files, commands and code that README.md shows are those of the project.

Its numbers are the gate's: tools/quotes.py.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support.host import MODEL
from support.project import ROOT, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


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
