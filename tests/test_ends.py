"""How tools end where they cannot read or write, by themselves and through make."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import ends
import pytest
from support.disk import Disk
from support.project import ROOT, environment, run, smallest


@pytest.mark.parametrize("code", [0, 1])
def test_a_tool_ends_with_its_code(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ends.run(lambda: code)
    assert ended.value.code == code
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "README.md"), "README.md: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("no more files"), "no more files"),
        (sqlite3.OperationalError("unable to open database file"), ".dvc/tmp: unable to open data"),
    ],
)
def test_what_cannot_be_written_takes_a_line(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        ends.run(fail)
    assert ended.value.code == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {line}")
    assert printed.count("\n") == 1


def test_a_defect_keeps_its_traceback() -> None:
    def fail() -> int:
        raise KeyError("key")

    with pytest.raises(KeyError):
        ends.run(fail)


# --- On a disk that cannot be written -------------------------------------------------------------


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    """With a project that a run left at its end, but for its outputs."""
    project = smallest(tmp_path_factory.mktemp("small"), ["vae2"])
    shutil.copytree(ROOT / "tools", project / "tools")
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(ROOT / name, project)
    (project / "docs").mkdir()
    (project / "docs/quotes.yaml").write_text("README.md: [No numbers]\n")
    (project / "README.md").write_text("No numbers.\n")
    assert run(project, "git", "init", "-q").returncode == 0
    disk = Disk(project, tmp_path_factory.mktemp("disk"))
    (disk.project / ".venv").symlink_to(sys.prefix)
    yield disk
    disk.close()


def said(disk: Disk, log: Path, *command: str) -> str:
    """What a command prints on the read-only disk, where it has to fail."""
    path = environment(disk.project)["PATH"]
    project = disk.place / "project"
    line = shlex.join(["env", "-u", "DVC_SITE_CACHE_DIR", f"PATH={path}", *command])
    with disk.read_only():
        assert not disk.tell(f"(cd {project} && {line}) >{log} 2>&1")
    return log.read_text()


WRITE = (
    *("reproduce", "study", "study-notebook", "test", "torture", "check-lock", "prune"),
    *("quotes", "deps", "lock", "bench", "throughput", "seeds", "compare", "mutate", "state"),
)


@pytest.mark.parametrize("target", WRITE)
def test_make_says_that_a_project_cannot_be_written(
    disk: Disk, tmp_path: Path, target: str
) -> None:
    first, last = said(disk, tmp_path / "log", "make", "-o", ".venv/.ready", target).splitlines()
    assert first == f"error: {disk.place}/project cannot be written"
    assert last.startswith("make: *** ")


def test_make_installs_nothing_there(disk: Disk, tmp_path: Path) -> None:
    printed = said(disk, tmp_path / "log", "make", "-W", "requirements.txt", "results")
    assert printed.startswith(f"error: {disk.place}/project cannot be written\nmake: *** ")


@pytest.mark.parametrize(
    ("tool", "line"),
    [
        ("check_lock.py", r".*\.dvc/tmp\b.*: (unable to open database|Read-only file system)"),
        ("prune.py", r".*\.dvc/tmp\b.*: (unable to open database|Read-only file system)"),
        ("quotes.py --write", ".*/README.md: Read-only file system"),
        ("deps.py", ".*/versions/.*: Read-only file system"),
        ("mend_lock.py", "dvc.lock: Read-only file system"),
    ],
)
def test_a_tool_that_cannot_write_takes_a_line(
    disk: Disk, tmp_path: Path, tool: str, line: str
) -> None:
    with contextlib.ExitStack() as stack:
        if tool == "mend_lock.py":
            (disk.project / "dvc.lock").touch()  # cut off
            stack.callback((disk.project / "dvc.lock").unlink)
        else:
            assert disk.tell(f"{sys.executable} {disk.place}/project/tools/state.py")
        script, *arguments = tool.split()
        printed = said(disk, tmp_path / "log", "python", f"tools/{script}", *arguments)
    assert re.match(f"error: {line}", printed), printed
    assert printed.count("\n") == 1
