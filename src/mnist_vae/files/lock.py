"""Files that one process holds: the lock ends with the process, whatever ends it."""

from __future__ import annotations

import contextlib
import glob
import os
import platform
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from mnist_vae import process
from mnist_vae.errors import InputError

PATIENCE = 10
"""Seconds to wait for another process: one that was told to end needs some."""


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Let one process alone do ``what``; the file at ``path`` says which, and is gone at the end.

    Raises InputError that names the other process if that is still at it after PATIENCE, and
    OSError that names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + PATIENCE
    while (file := _take(path)) is None:
        if time.monotonic() > until:
            raise InputError(f"{what}: {_holder(path)} is at it; wait for it, or end it ({path})")
        time.sleep(0.05)
    try:
        try:
            os.truncate(file, 0)
            os.write(file, f"process {os.getpid()} on {platform.node()}\n".encode())
        except OSError as error:
            error.filename = str(path)
            raise
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


@contextlib.contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A new, empty file beside ``path``, under a name of its own; gone at the end.

    What dead processes left beside ``path`` is removed before. Raises OSError.
    """
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        _remove_unless_held(left)
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        process.unfinished.add(part)
        if (file := _take(part)) is not None:
            break
        process.unfinished.discard(part)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
        process.unfinished.discard(part)
        os.close(file)


def _take(path: Path) -> int | None:
    """Open and lock a file, made if it is not there; None if that has to be tried again.

    Links are not followed.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        # Its last holder may have removed it between the two calls.
        if _lock(file) is not False and os.path.samestat(path.stat(), os.fstat(file)):
            return file
    except FileNotFoundError:
        pass
    os.close(file)
    return None


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:  # gone by now
        return "another process"


def _lock(file: int) -> bool | None:
    """Lock an open file: False where another process has, None where the file system cannot."""
    import fcntl  # not on Windows, where the package can still be imported

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _remove_unless_held(path: Path) -> None:
    """Remove what a process left that is no more. What cannot be opened stays."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _lock(file):
                path.unlink()
        finally:
            os.close(file)
