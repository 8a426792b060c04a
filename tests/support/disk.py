"""A disk that can be filled, or made read-only, under a running project."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class Disk:
    """A small disk with a copy of a project, which only a shell and its children have mounted.

    Others reach it through the shell, and it goes when the shell goes, however that comes about.
    The test is skipped where this user may mount no disk.
    """

    def __init__(self, project: Path, place: Path) -> None:
        unshare = ["unshare", "--map-root-user", "--mount", "sh"]
        self.shell = subprocess.Popen(
            unshare if shutil.which("unshare") else ["false"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.place = place
        if not self.tell(f"mount -t tmpfs -o size=32m tmpfs {place}"):
            self.close()
            pytest.skip("this user may not mount a disk")
        self.folder = Path(f"/proc/{self.shell.pid}/root{place}")
        self.project = self.folder / "project"
        shutil.copytree(project, self.project)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.shell.communicate()

    def tell(self, command: str) -> bool:
        """Whether a command succeeds in the shell."""
        assert self.shell.stdin
        assert self.shell.stdout
        with contextlib.suppress(BrokenPipeError):  # no shell: not allowed either
            print(f"{command}; echo $?", file=self.shell.stdin, flush=True)
        return self.shell.stdout.readline() == "0\n"

    @contextlib.contextmanager
    def filled(self, room: int = 0) -> Iterator[None]:
        """Leave only so many bytes free."""
        filler = self.folder / "filler"
        with open(filler, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            file.truncate(file.tell() - room)
        try:
            yield
        finally:
            filler.unlink()

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        # Of this mount alone (bind): the disk itself is only for the real root to change.
        assert self.tell(f"mount -o remount,ro,bind {self.place}")
        try:
            yield
        finally:
            assert self.tell(f"mount -o remount,rw,bind {self.place}")
