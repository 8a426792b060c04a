"""Where DVC's own state lies, whatever its settings and folder were before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import state
from dvc.config import Config


@pytest.fixture(params=["project", "a, #b; 'c' (%d)s", "größe"])
def project(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    root: Path = tmp_path / request.param
    (root / ".dvc").mkdir(parents=True)
    monkeypatch.setattr(state, "ROOT", root)
    return root


def check(root: Path) -> None:
    """DVC reads this project's folder in its settings, and only the owner may enter that."""
    assert state.main() == 0
    settings = Config.load_file(str(root / state.CONFIG))
    assert settings["core"]["site_cache_dir"] == str(root / state.STATE)
    assert (root / state.STATE).stat().st_mode & 0o777 == 0o700


def test_settings_and_folder_are_made(project: Path) -> None:
    check(project)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_no_umask_opens_it(project: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        check(project)
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702])
def test_a_folder_that_others_can_write_is_made_anew(project: Path, mode: int) -> None:
    theirs = project / state.STATE / "repo/theirs.pickle"
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    (project / state.STATE).chmod(mode)
    check(project)
    assert not theirs.exists()


def test_a_folder_that_others_can_only_read_is_closed(project: Path) -> None:
    ours = project / state.STATE / "ours"
    ours.parent.mkdir(parents=True)
    ours.touch()
    ours.parent.chmod(0o755)
    check(project)
    assert ours.exists()


@pytest.mark.parametrize("core", ["", "[core]\n", "[core]\n    site_cache_dir = /elsewhere\n"])
def test_other_settings_stay(project: Path, core: str) -> None:
    config = project / state.CONFIG
    config.write_text(f"{core}['remote \"ours\"']\n    url = /ä  # mine\n", encoding="utf-8")
    config.chmod(0o600)
    check(project)
    assert Config.load_file(str(config))["remote"] == {"ours": {"url": "/ä"}}
    assert "# mine" in config.read_text(encoding="utf-8")
    assert config.stat().st_mode & 0o777 == 0o600


def test_what_is_in_order_is_left_alone(project: Path) -> None:
    check(project)
    config, ours = project / state.CONFIG, project / state.STATE / "ours"
    ours.touch()
    before = config.stat()
    check(project)
    assert ours.exists()
    assert config.stat() == before


@pytest.mark.parametrize("text", [b"[core\n", b"\xff"])
def test_settings_that_cannot_be_read_are_left_to_a_person(
    project: Path, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    (project / state.CONFIG).write_bytes(text)
    assert state.main() == 1
    assert (project / state.CONFIG).read_bytes() == text
    error = capsys.readouterr().err
    assert error.startswith("error: .dvc/config.local: ")
    assert error.count("\n") == 1
