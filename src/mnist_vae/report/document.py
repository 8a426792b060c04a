"""What a page is made of, as plain data: ``markdown`` and ``html`` write it down."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

from mnist_vae.explorer.small import Fragment


class Link(NamedTuple):
    """Text that leads to an address or to a file beside the page."""

    text: str
    url: str

    @property
    def href(self) -> str:
        """The address, percent-encoded."""
        return _percent_encoded(self.url)


class Code(NamedTuple):
    """Text to type or to read exactly."""

    text: str


Inline: TypeAlias = str | Link | Code


class Paragraph(NamedTuple):
    """Running text; the ``lead`` stands out."""

    parts: Sequence[Inline]
    lead: bool = False


class Heading(NamedTuple):
    """A heading inside a section."""

    text: str


class Cell(NamedTuple):
    """A value in a table; the best of a row is marked."""

    text: str
    best: bool = False


class Table(NamedTuple):
    """Rows of a first cell that names them and values, in groups that may have names."""

    name: str
    head: Sequence[str]
    groups: Mapping[str, Sequence[Sequence[Cell]]]


class Picture(NamedTuple):
    """A figure in a file beside the page, its size as width and height in pixels."""

    path: str
    alt: str
    caption: str
    size: tuple[int, int]

    @property
    def src(self) -> str:
        """The path, percent-encoded."""
        return _percent_encoded(self.path)


class Gallery(NamedTuple):
    """Figures to set side by side, as many as there is room for."""

    pictures: Sequence[Picture]


class Strips(NamedTuple):
    """Rows of images of one width, each with its name, to compare from top to bottom."""

    rows: Sequence[tuple[str, Picture]]


class DefinitionList(NamedTuple):
    """Names, each with what is to say about it; in a line each where that is ``short``."""

    entries: Sequence[tuple[str, Sequence[Inline]]]
    short: bool = False


class CodeBlock(NamedTuple):
    """Lines shown exactly as they are."""

    text: str


class Fold(NamedTuple):
    """Blocks behind a line that unfolds them."""

    summary: str
    blocks: Sequence[Block]


Block: TypeAlias = (
    Paragraph | Heading | Table | Gallery | Strips | DefinitionList | CodeBlock | Fold
)


class Section(NamedTuple):
    """A part of the page, with a heading that the contents lead to."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The title as the name that a link inside the page leads to."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


class Page(NamedTuple):
    """A title and sections; the contents follow the first of them.

    That is the first screen, which also has the ``links``, and, beside its figure, what can be
    played with; ``explorer`` is the file beside the page that has more of it.
    """

    title: str
    sections: Sequence[Section]
    links: Sequence[Link] = ()
    explorer: str = ""
    play: Fragment | None = None


def _percent_encoded(address: str) -> str:
    return quote(address, safe="/:")
