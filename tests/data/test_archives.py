"""Files out of folders and archives, right and wrong."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.memory import peak_below
from support.mnist_files import (
    ALTERED,
    ARCHIVES,
    DECOYS,
    DOTTED,
    FILES,
    HTML,
    IMAGES,
    LABELS,
    PINNED,
    below,
    lay_out,
    tar,
    zipped,
)

from mnist_vae.data import archives
from mnist_vae.data.archives import read_files
from mnist_vae.errors import InputError

FOLDERS = {
    "flat": FILES,
    "nested": below("MNIST/raw/"),
    "gz": below("MNIST/raw/", ".gz"),
    "dots": DOTTED,
    "decoys": DECOYS | below("MNIST/raw/"),
    "one damaged copy": below("MNIST/raw/") | {f"{IMAGES}.gz": b"damaged"},
    "folders of the same names": {f"{name}/{name}": data for name, data in FILES.items()},
}


@pytest.mark.parametrize("form", [*FOLDERS, *ARCHIVES])
def test_a_folder_or_an_archive_gives_the_files(tmp_path: Path, form: str) -> None:
    content = FOLDERS.get(form) or ARCHIVES[form]
    assert read_files(lay_out(tmp_path / "mine", content), PINNED) == FILES


def short_id(value: object) -> str:
    return str(value)[:40]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (IMAGES, FILES[IMAGES][:-1], "4719 bytes, must be 4720"),
        (IMAGES, FILES[IMAGES] + b"\0", "more than 4720 bytes, must be 4720"),
        (IMAGES, b"", "0 bytes"),
        (IMAGES, HTML, "37 bytes"),
        (IMAGES, ALTERED, "SHA-256 "),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-9], "damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-8] + bytes(8), "damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(ALTERED), "SHA-256 "),
        ("elsewhere", FILES[IMAGES], "no such file"),
    ],
    ids=short_id,
)
def test_a_wrong_file_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    members = {name: data} | {other: FILES[other] for other in FILES if other != IMAGES}
    for form, content in (("folder", members), ("tar", tar(members)), ("zip", zipped(members))):
        with pytest.raises(InputError, match=f"^{IMAGES}: {message}"):
            read_files(lay_out(tmp_path / form, content), PINNED)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    others = {name: data for name, data in FILES.items() if name not in (IMAGES, LABELS)}
    folder = lay_out(tmp_path / "mine", others)
    (folder / IMAGES).mkdir()
    os.mkfifo(folder / LABELS)  # opening it would block for ever
    for path, message in (
        (folder, f"^{IMAGES}: no such file; {LABELS}: no such file$"),
        (folder / LABELS, "not a file"),
        (folder / "elsewhere", "not found"),
    ):
        with pytest.raises(InputError, match=message):
            read_files(path, PINNED)


def special(kind: bytes, linkname: str = "", device: tuple[int, int] = (0, 0)) -> bytes:
    """A tar archive of the right files after a member that is no plain file."""
    member = tarfile.TarInfo(IMAGES)
    member.type, member.linkname, (member.devmajor, member.devminor) = kind, linkname, device
    return tar(FILES, first=member)


def sparse() -> bytes:
    """A GNU sparse member of 24 blocks that claims 2 GiB."""
    data = bytearray(special(tarfile.GNUTYPE_SPARSE))
    data[483:495] = b"20000000000\0"  # the real size, in octal
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(zipped(FILES))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # in the first entry of the central directory
    return bytes(data)


BIG = {"big": bytes(200_000)} | FILES
MANY = {f"{i}": b"" for i in range(30)} | FILES


@pytest.mark.parametrize(
    ("message", "archive"),
    [
        ("'../escaped', a path outside", tar({"../escaped": b"x"} | FILES)),
        ("a path outside", tar({"a/../../escaped": b"x"} | FILES)),
        ("'/tmp/escaped', a path outside", tar({"/tmp/escaped": b"x"} | FILES)),
        ("a path outside", zipped({"../escaped": b"x"} | FILES)),
        ("a path outside", zipped({"..\\escaped": b"x"} | FILES)),
        ("a path outside", zipped({"/tmp/escaped": b"x"} | FILES)),
        ("neither a plain file", special(tarfile.SYMTYPE, linkname="/etc/passwd")),
        ("neither a plain file", special(tarfile.LNKTYPE, linkname=LABELS)),
        ("neither a plain file", special(tarfile.CHRTYPE, device=(1, 5))),
        ("neither a plain file", special(tarfile.FIFOTYPE)),
        ("neither a plain file", sparse()),
        ("neither a plain file", zipped(FILES, first_mode=stat.S_IFLNK | 0o777)),
        ("encrypted or not deflated", encrypted()),
        ("encrypted or not deflated", zipped(FILES, zipfile.ZIP_BZIP2)),
        ("more than 20 members", tar(MANY)),
        ("more than 20 members", zipped(MANY)),
        ("more than 0 MiB", tar(BIG)),
        ("more than 0 MiB", tar(BIG, "w:gz")),
        ("more than 0 MiB", zipped(BIG)),
        ("damaged, or not a tar or zip archive", gzip.compress(FILES[IMAGES])),
        ("damaged, or not a tar or zip archive", FILES[IMAGES]),
        ("damaged, or not a tar or zip archive", HTML),
        ("damaged, or not a tar or zip archive", b""),
        ("damaged, or not a tar or zip archive", zipped(FILES)[:-30]),
        ("damaged, or not a tar or zip archive", b"\x1f\x8b" + HTML),
        ("damaged", tar(FILES, "w:gz")[:-300]),
        ("bytes, must be|no such file|damaged", tar(FILES)[:-16_000]),
        ("no such file", tar({})),
    ],
    ids=short_id,
)
def test_a_bad_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, archive: bytes
) -> None:
    monkeypatch.setattr(archives, "ARCHIVE_LIMIT", 100_000)
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 20)
    path = lay_out(tmp_path / "archive", archive)
    with pytest.raises(InputError, match=message):
        read_files(path, PINNED)
    assert list(tmp_path.rglob("*")) == [path]


def long_header(flood: bytes) -> bytes:
    """A tar whose first header tarfile reads whole before it gives any member."""
    member = tarfile.TarInfo("././@PaxHeader")
    member.type, member.size = tarfile.XHDTYPE, len(flood)
    return gzip.compress(member.tobuf() + flood, 1)


FLOODS: dict[str, Callable[[bytes], bytes | Mapping[str, bytes]]] = {
    "file": lambda flood: {IMAGES: flood},
    "gz": lambda flood: {f"{IMAGES}.gz": gzip.compress(flood, 1)},
    "tar": lambda flood: tar({IMAGES: flood}),
    "tgz": lambda flood: tar({IMAGES: flood}, "w:gz"),
    "zip": lambda flood: zipped({IMAGES: flood}, zipfile.ZIP_DEFLATED),
    "long header": long_header,
}


@pytest.mark.parametrize("form", FLOODS)
def test_a_source_that_sends_too_much_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    limit, message = (10_000_000, "9 MiB") if form == "long header" else (2**30, "4720 bytes")
    monkeypatch.setattr(archives, "ARCHIVE_LIMIT", limit)
    path = lay_out(tmp_path / "flood", FLOODS[form](bytes(50_000_000)))
    with peak_below(25_000_000), pytest.raises(InputError, match=f"more than {message}"):
        read_files(path, PINNED)
