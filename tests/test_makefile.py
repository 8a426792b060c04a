"""What `make` does: the environment, with real packages that need no network, and runs of DVC.

And what a script of CI says, and a project in a folder of any name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.project import ROOT, environment, run, smallest

BACKEND = """\
import shutil

def build_editable(folder, config_settings=None, metadata_directory=None):
    shutil.copy("project-1.0-py3-none-any.whl", folder)
    return "project-1.0-py3-none-any.whl"
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "project"
version = "1.0"
"""


def wheel(folder: Path, name: str) -> Path:
    """A package of one module."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    return path


def test_what_a_user_added_stays_when_the_lock_is_newer(tmp_path: Path) -> None:
    if not shutil.which("uv"):
        pytest.skip("uv is not on the path")
    python = tmp_path / ".venv/bin/python"
    environment = os.environ | {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}

    def must(*command: str | Path) -> None:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "requirements.txt").write_text(f"{wheel(tmp_path, 'locked')}\n")
    wheel(tmp_path, "project")
    must(sys.executable, "-m", "venv", "--without-pip", ".venv")
    must("uv", "pip", "install", "--python", python, wheel(tmp_path, "added"))
    must("make", ".venv/.ready")
    must(python, "-c", "import locked, added, project")


@pytest.mark.parametrize("target", ["reproduce", "study", "study-notebook"])
def test_what_runs_dvc_mends_what_a_kill_left(target: str) -> None:
    done = run(ROOT, "make", "--dry-run", "-o", ".venv/.ready", target)
    assert done.returncode == 0, done.stderr
    runs = re.findall("^dvc repro(.*?) \\|\\| (.*)$", done.stdout, re.MULTILINE)
    assert len(runs) == done.stdout.count("dvc repro") / 2 >= 1
    assert [after for _, after in runs] == [
        f"{{ python tools/mend_lock.py && dvc repro{what}; }}" for what, _ in runs
    ]


def test_a_comparison_without_a_base_takes_a_line() -> None:
    done = run(ROOT, "bash", ".ci/summary")
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.endswith("compare with; usage: .ci/summary BASE_COMMIT\n")
    assert done.stderr.count("\n") == 1


def test_a_folder_may_have_any_name_in_a_plain_locale(tmp_path: Path) -> None:
    project = smallest(tmp_path / "größe 訓練", ["vae2"])
    shutil.copytree(ROOT / "tools", project / "tools")
    shutil.copy(ROOT / "requirements.txt", project)

    def said(*command: str, code: int) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=project / "tools",
            env=environment(project) | {"LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stderr

    assert said("deps.py", "--check", code=0) == ""
    (fault,) = said("quotes.py", code=1).splitlines()
    assert "größe 訓練/docs/quotes.yaml" in fault
