"""Files out of folders and archives, right and wrong."""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from support import mnist_files as small
from support.memory import peak_below
from support.mnist_files import FILES, IMAGES, LABELS, PINNED, lay_out, tar, zipped

from mnist_vae.data import archives
from mnist_vae.data.archives import read_files
from mnist_vae.errors import InputError

FOLDERS = {
    "flat": FILES,
    "nested": small.below("MNIST/raw/"),
    "gz": small.below("MNIST/raw/", ".gz"),
    "dots": small.DOTTED,
    "decoys": small.DECOYS | small.below("MNIST/raw/"),
    "one damaged copy": small.below("MNIST/raw/") | {f"{IMAGES}.gz": b"damaged"},
    "folders of the same names": {f"{name}/{name}": data for name, data in FILES.items()},
}


@pytest.mark.parametrize("form", [*FOLDERS, *small.ARCHIVES])
def test_a_folder_or_an_archive_gives_the_files(tmp_path: Path, form: str) -> None:
    content = FOLDERS.get(form) or small.ARCHIVES[form]
    assert read_files(lay_out(tmp_path / "mine", content), PINNED) == FILES


def short_id(value: object) -> str | None:
    # Archives hold the time: conftest.py names them by their size.
    return None if isinstance(value, bytes) else str(value)[:40]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (IMAGES, FILES[IMAGES][:-1], "4719 bytes, must be 4720"),
        (IMAGES, FILES[IMAGES] + b"\0", "more than 4720 bytes, must be 4720"),
        (IMAGES, b"", "0 bytes"),
        (IMAGES, small.HTML, "37 bytes"),
        (IMAGES, small.ALTERED, "SHA-256 "),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-9], "damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(FILES[IMAGES])[:-8] + bytes(8), "damaged gzip"),
        (f"{IMAGES}.gz", gzip.compress(small.ALTERED), "SHA-256 "),
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
    (tmp_path / IMAGES).mkdir()
    os.mkfifo(tmp_path / LABELS)  # opening it would block for ever
    for path, message in (
        (tmp_path, f"^{IMAGES}: no such file; {LABELS}: no such file; "),
        (tmp_path / LABELS, "not a file"),
        (tmp_path / "elsewhere", "not found"),
    ):
        with pytest.raises(InputError, match=message):
            read_files(path, PINNED)


def special(kind: bytes) -> bytes:
    """A tar archive of the right files after a member that is no plain file."""
    member = tarfile.TarInfo(IMAGES)
    member.type, member.linkname = kind, LABELS
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


OUTSIDE = ("../escaped", "a/../../escaped", "/tmp/escaped", "..\\escaped")
SPECIAL = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
MANY = {f"{i}": b"" for i in range(30)} | FILES
BIG = {"big": bytes(200_000)} | FILES
BAD_ARCHIVES = {
    "a path outside": [pack({name: b"x"} | FILES) for name in OUTSIDE for pack in (tar, zipped)],
    "neither a plain file": [
        *(special(kind) for kind in SPECIAL),
        sparse(),
        zipped(FILES, mode=stat.S_IFLNK | 0o777),
    ],
    "encrypted or not deflated": [encrypted(), zipped(FILES, zipfile.ZIP_BZIP2)],
    "more than 20 members": [tar(MANY), zipped(MANY)],
    "more than 0 MiB": [tar(BIG), tar(BIG, "w:gz"), zipped(BIG)],
    "damaged, or not a tar or zip archive": [
        *(b"", small.HTML, b"\x1f\x8b" + small.HTML),
        *(FILES[IMAGES], gzip.compress(FILES[IMAGES])),
        *(zipped(FILES)[:-30], tar(FILES, "w:gz")[:-300]),
    ],
    "bytes, must be|no such file|damaged": [tar(FILES)[:-16_000]],
    "no such file": [tar({})],
    "packed by xz; must be a tar, a tar.gz or a zip": [tar(FILES, "w:xz")],
    "packed by bzip2; must be": [tar(FILES, "w:bz2")],
    "packed by zstd; must be": [b"\x28\xb5\x2f\xfd" + bytes(100)],
}


@pytest.mark.parametrize(
    ("message", "archive"),
    [(message, archive) for message, group in BAD_ARCHIVES.items() for archive in group],
    ids=short_id,
)
def test_a_bad_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str, archive: bytes
) -> None:
    monkeypatch.setattr(archives, "ARCHIVE_LIMIT", 100_000)
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 20)
    path = lay_out(tmp_path / "folder/archive", archive)
    with pytest.raises(InputError, match=message):
        read_files(path, PINNED)
    assert [path] == [left for left in tmp_path.rglob("*") if left.is_file()]


@pytest.mark.parametrize("form", ["file", "gz", "tar", "tgz", "zip", "long header"])
def test_a_source_that_sends_too_much_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    flood = {IMAGES: bytes(50_000_000)}
    header = tarfile.TarInfo("././@PaxHeader")  # tarfile reads it whole before any member
    header.type, header.size = tarfile.XHDTYPE, len(flood[IMAGES])
    path = tmp_path / "flood"
    match form:
        case "file":
            lay_out(path, flood)
        case "gz":
            lay_out(path, {f"{IMAGES}.gz": gzip.compress(flood[IMAGES], 1)})
        case "zip":
            lay_out(path, zipped(flood, zipfile.ZIP_DEFLATED))
        case "long header":
            lay_out(path, gzip.compress(header.tobuf() + flood[IMAGES], 1))
        case _:
            lay_out(path, tar(flood, "w" if form == "tar" else "w:gz"))
    del flood
    limit, message = (10_000_000, "9 MiB") if form == "long header" else (2**30, "4720 bytes")
    monkeypatch.setattr(archives, "ARCHIVE_LIMIT", limit)
    with peak_below(25_000_000), pytest.raises(InputError, match=f"more than {message}"):
        read_files(path, PINNED)


def test_a_zip_of_very_many_members_is_refused_before_they_are_listed(tmp_path: Path) -> None:
    path = lay_out(tmp_path / "crowded", small.crowded())
    with peak_below(25_000_000), pytest.raises(InputError, match="lists members in more than 1 M"):
        read_files(path, PINNED)
