"""Named files out of a folder, a tar or a zip, each of them proved by its SHA-256.

Nothing in a folder or an archive is believed: sizes are bounded before reading, and archives are
read member by member and never extracted. How long that takes is bounded by ``fetch``, in a process
of its own.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import io
import re
import stat
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, cast

import msgspec

from mnist_vae.data.idx import plain_name
from mnist_vae.data.published import Pinned
from mnist_vae.data.zips import open_zip
from mnist_vae.errors import InputError

ARCHIVE_LIMIT = 256 * 2**20
"""Bytes of an archive, unpacked: room for the several data sets that torchvision keeps together."""
MEMBER_LIMIT = 10_000
"""Members of an archive."""

# What tarfile, zipfile and gzip raise on damaged input.
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    ValueError,
    NotImplementedError,
)

_OTHERS = {
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
"""How archives start that are not read."""

_Candidates = Generator[tuple[str, IO[bytes]], None, None]


def read_files(path: Path, pinned: Mapping[str, Pinned]) -> dict[str, bytes]:
    """Read the files of the names in ``pinned`` from below a folder or from an archive.

    They may be gzip-compressed, lie in any subfolder, and be named with a dot for a dash, as
    ``train-images.idx3-ubyte`` for ``train-images-idx3-ubyte``. Where there are several of a name
    (torchvision keeps MNIST and Fashion-MNIST under the same names), the right one is found by
    its contents. Returns the uncompressed contents by name. Raises InputError that says what is
    wrong or missing, or OSError.
    """
    contents: dict[str, bytes] = {}
    faults: dict[str, str] = {}
    names = {plain_name(name): name for name in pinned}
    try:
        with contextlib.closing(_candidates(path, names)) as candidates:
            for name, stream in candidates:
                try:
                    contents[name] = _prove(name, stream, pinned[name])
                except InputError as fault:
                    faults.setdefault(name, str(fault))
                if len(contents) == len(pinned):
                    break
    except (*_DAMAGED, OSError) as error:
        # The reader of a damaged zip seeks to before the file's start.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        raise InputError(f"damaged, or not a tar or zip archive: {error}") from None
    if missing := [name for name in pinned if name not in contents]:
        raise InputError("; ".join(faults.get(name, f"{name}: no such file") for name in missing))
    return contents


def main(path: str, pinned: str, folder: str) -> None:
    """Write what ``read_files`` gives to a folder: what a process started for nothing else runs.

    ``pinned`` is JSON. Whatever is wrong ends the process, with one line on stderr.
    """
    try:
        files = read_files(Path(path), msgspec.json.decode(pinned, type=dict[str, Pinned]))
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
    except (InputError, OSError) as error:
        sys.exit(str(error))
    except (MemoryError, RecursionError) as error:
        sys.exit(f"damaged, or made to do harm: {type(error).__name__}")


def _prove(name: str, stream: IO[bytes], pinned: Pinned) -> bytes:
    """Read little more than the right size, packed or unpacked, and compare the digest."""
    size = pinned.size
    data = stream.read(size + 2**20)  # gzip can lengthen what it cannot compress
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(size + 1)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise InputError(f"{name}: damaged gzip data: {error}") from None
    if len(data) != size:
        length = f"more than {size}" if len(data) > size else len(data)
        raise InputError(f"{name}: {length} bytes, must be {size}")
    if (digest := hashlib.sha256(data).hexdigest()) != pinned.sha256:
        raise InputError(f"{name}: SHA-256 {digest[:12]}..., must be {pinned.sha256[:12]}...")
    return data


def _candidates(path: Path, names: Mapping[str, str]) -> _Candidates:
    """Yield each file below ``path`` that ``names`` may mean: its name, and a stream to read."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            # Not a folder, and not a pipe, which would block.
            if (name := names.get(plain_name(file.name))) and file.is_file():
                with file.open("rb") as stream:
                    yield name, stream
        return
    if not path.is_file():
        raise InputError("not a file" if path.exists() else "not found")
    with path.open("rb") as stream:
        start = stream.read(5)
        stream.seek(0)
        for magic, name in _OTHERS.items():
            if start.startswith(magic):
                raise InputError(f"packed by {name}; must be a tar, a tar.gz or a zip, or a folder")
        if start.startswith(b"PK\x03\x04"):
            yield from _zip_members(path, names)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as unzipped:
                yield from _tar_members(unzipped, names)
        else:
            yield from _tar_members(stream, names)


def _tar_members(stream: IO[bytes] | gzip.GzipFile, names: Mapping[str, str]) -> _Candidates:
    # Read as a stream, so that one bound holds for everything: headers, skipped members, padding.
    bounded = cast(IO[bytes], _Bounded(stream))
    with tarfile.open(fileobj=bounded, mode="r|", bufsize=2**20) as archive:
        for count, member in enumerate(archive, 1):
            plain = (member.isfile() and not member.issparse()) or member.isdir()
            _check_member(member.name, plain, count)
            if member.isfile() and (name := names.get(plain_name(member.name))):
                file = archive.extractfile(member)
                assert file is not None  # it is None for folders alone
                yield name, file


def _zip_members(path: Path, names: Mapping[str, str]) -> _Candidates:
    with open_zip(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > ARCHIVE_LIMIT:
            raise _too_much()
        for count, member in enumerate(archive.infolist(), 1):
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive does not say
            _check_member(member.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR), count)
            if name := names.get(plain_name(member.filename)):
                packing = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                if member.flag_bits & 1 or member.compress_type not in packing:
                    raise InputError(f"{member.filename!r} is encrypted or not deflated")
                with archive.open(member) as file:
                    yield name, file


def _check_member(name: str, plain: bool, count: int) -> None:
    """Refuse an archive that is not what it should be, although nothing in it is extracted."""
    if name.startswith("/") or ".." in re.split(r"[/\\]", name):
        raise InputError(f"holds {name!r}, a path outside the archive")
    if not plain:
        raise InputError(f"holds {name!r}, which is neither a plain file nor a folder")
    if count > MEMBER_LIMIT:
        raise InputError(f"holds more than {MEMBER_LIMIT} members")


class _Bounded:
    """A stream that refuses to give more than ARCHIVE_LIMIT in all."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self._left = ARCHIVE_LIMIT

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _too_much()
        return data


def _too_much() -> InputError:
    return InputError(f"holds more than {ARCHIVE_LIMIT // 2**20} MiB")
