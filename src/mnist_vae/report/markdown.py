"""A page as Markdown that GitHub renders.

All text is shown as it is: what has a meaning in Markdown or HTML is escaped, wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from mnist_vae.explorer.turns import show_turns
from mnist_vae.report.document import (
    Block,
    Cell,
    Code,
    CodeBlock,
    DefinitionList,
    Fold,
    Gallery,
    Heading,
    Inline,
    Link,
    Page,
    Paragraph,
    Picture,
    Strips,
    Table,
)


def render(page: Page) -> str:
    """The page as Markdown."""
    blocks = [f"# {_text(page.title)}"]
    if page.links:
        blocks.append(" · ".join(map(_inline, page.links)))
    if page.explorer:
        blocks.append(f"To play with: open {_inline(Code(page.explorer))} in a browser.")
    for section in page.sections:
        blocks += [f"## {_text(section.title)}", *map(_block, section.blocks)]
    return show_turns("\n\n".join(blocks) + "\n")


def _block(block: Block) -> str:
    match block:
        case Paragraph(parts, lead):
            return f"> {_inlines(parts)}" if lead else _inlines(parts)
        case Heading(text):
            return f"### {_text(text)}"
        case Table():
            return _table(block)
        case Gallery(pictures):
            return _gallery(pictures)
        case Strips(rows):
            lines = [_row([_text(name), _image(picture, "100%")]) for name, picture in rows]
            return "\n".join(["| | |", "| --- | --- |", *lines])
        case DefinitionList(entries):
            return "\n".join(f"- **{_text(name)}**: {_inlines(parts)}" for name, parts in entries)
        case CodeBlock(text):
            # A fence longer than any run in the text: no line of it can end the block.
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
            return f"{fence}\n{text}\n{fence}"
        case Fold(summary, blocks):
            inside = "\n\n".join(map(_block, blocks))
            return f"<details><summary>{escape(summary)}</summary>\n\n{inside}\n\n</details>"


def _gallery(pictures: Sequence[Picture]) -> str:
    """A table of two columns, in which each picture has its caption above."""
    lines = []
    for start in range(0, len(pictures), 2):
        pair = pictures[start : start + 2]
        lines += [
            _row(f"**{_text(p.caption)}**" if p.caption else "" for p in pair),
            _row(_image(picture, "100%") for picture in pair),
        ]
    return "\n".join([lines[0], "| --- |" + " --- |" * (len(pictures) > 1), *lines[1:]])


def _table(table: Table) -> str:
    values = len(table.head) - 1
    lines = [_row(map(_text, table.head)), "| --- |" + " ---: |" * values]
    for group, rows in table.groups.items():
        if group:
            lines.append(f"| **{_text(group)}** |" + " |" * values)
        lines += [_row(map(_cell, row)) for row in rows]
    return "\n".join(lines)


def _cell(cell: Cell) -> str:
    return f"**{_text(cell.text)}**" if cell.best else _text(cell.text)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _image(picture: Picture, width: str) -> str:
    # Markdown's own images have no width. In a table a bar or a new line would end the cell.
    alt = escape(picture.alt).replace("|", "&#124;").replace("\n", "&#10;")
    return f'<img src="{escape(picture.src)}" alt="{alt}" width="{width}">'


def _inlines(parts: Iterable[Inline]) -> str:
    return "".join(map(_inline, parts))


def _inline(part: Inline) -> str:
    match part:
        case Link():
            return f"[{_text(part.text)}]({part.href})"
        case Code(text):
            return f"`{text}`"
        case str():
            return _text(part, strip=False)


def _text(text: str, *, strip: bool = True) -> str:
    """Text that Markdown shows as it is: on one line, and all that has a meaning escaped."""
    line = re.sub(r"\s+", " ", text)
    line = line.strip() if strip else line
    return re.sub(r"[\\`*_\[\]<>&|~$#@]|:(?=//)|(?<=www)\.", r"\\\g<0>", line)
