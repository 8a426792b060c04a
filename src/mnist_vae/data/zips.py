"""Zip archives that may come from strangers."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from mnist_vae.errors import InputError

DIRECTORY_LIMIT = 2**20
"""Bytes of an archive's list of its members; zipfile makes objects of 400 bytes of each."""


@contextlib.contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose list of members is of a reasonable length.

    Raises InputError where it is longer, else what zipfile raises.
    """
    with path.open("rb") as stream:
        bounded = _Bounded(stream)
        with zipfile.ZipFile(cast(IO[bytes], bounded)) as archive:
            bounded.limit = None
            yield archive


class _Bounded:
    """A file that gives little in one piece: as such zipfile reads the list, when it opens one."""

    limit: int | None = DIRECTORY_LIMIT

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        if self.limit is None:
            return self._stream.read(size)
        data = self._stream.read(self.limit + 1 if size < 0 else min(size, self.limit + 1))
        if len(data) > self.limit:
            raise InputError(f"lists members in more than {self.limit // 2**20} MiB")
        return data
