"""A page as data, written as Markdown that GitHub renders or as one HTML file that opens offline.

All text is shown as it is: what has a meaning in Markdown or HTML is escaped, wherever it stands.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias
from urllib.parse import quote


class Link(NamedTuple):
    """Text that leads to an address or to a file beside the page."""

    text: str
    url: str


class Code(NamedTuple):
    """Text to type or to read exactly."""

    text: str


Inline: TypeAlias = str | Link | Code


class Paragraph(NamedTuple):
    """Running text; the ``lead`` stands out."""

    parts: Sequence[Inline]
    lead: bool = False


class Title(NamedTuple):
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
    """A figure in a file beside the page."""

    path: str
    alt: str
    caption: str
    size: tuple[int, int]


class Pictures(NamedTuple):
    """Figures to set side by side, as many as there is room for."""

    pictures: Sequence[Picture]


class Terms(NamedTuple):
    """Names, each with what is to say about it."""

    items: Sequence[tuple[str, Sequence[Inline]]]


class Listing(NamedTuple):
    """Lines shown exactly as they are."""

    text: str


Block: TypeAlias = Paragraph | Title | Table | Pictures | Terms | Listing


class Section(NamedTuple):
    """A part of the page, with a heading that the contents lead to."""

    title: str
    blocks: Sequence[Block]


class Page(NamedTuple):
    """A title and sections; the contents follow the first of them."""

    title: str
    sections: Sequence[Section]


# ---- As Markdown --------------------------------------------------------------------------------


def markdown(page: Page) -> str:
    """The page as GitHub renders it."""
    blocks = [f"# {_md(page.title)}"]
    for section in page.sections:
        blocks += [f"## {_md(section.title)}", *map(_md_block, section.blocks)]
    return "\n\n".join(blocks) + "\n"


def _md_block(block: Block) -> str:
    match block:
        case Paragraph(parts, lead):
            text = _md_inline(parts)
            return f"> {text}" if lead else text
        case Title(text):
            return f"### {_md(text)}"
        case Table():
            return _md_table(block)
        case Pictures(pictures):
            width = "49%" if len(pictures) > 1 else "75%"
            images = (_img(p, f'width="{width}"') for p in pictures)
            return "<p>\n" + "\n".join(images) + "\n</p>"
        case Terms(items):
            return "\n".join(f"- **{_md(name)}**: {_md_inline(parts)}" for name, parts in items)
        case Listing(text):
            # A fence longer than any run in the text: no line of it can end the listing.
            fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
            return f"{fence}\n{text}\n{fence}"


def _md_table(table: Table) -> str:
    lines = [_md_row(table.head), "| --- |" + " ---: |" * (len(table.head) - 1)]
    for group, rows in table.groups.items():
        if group:
            lines.append(f"| **{_md(group)}** |" + " |" * (len(table.head) - 1))
        for row in rows:
            cells = (f"**{_md(c.text)}**" if c.best else _md(c.text) for c in row)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _md_row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(map(_md, texts))} |"


def _md_inline(parts: Iterable[Inline]) -> str:
    return "".join(
        f"[{_md(part.text)}]({_url(part.url)})"
        if isinstance(part, Link)
        else f"`{part.text}`"
        if isinstance(part, Code)
        else _md(part, strip=False)
        for part in parts
    )


def _md(text: str, *, strip: bool = True) -> str:
    """Text that Markdown shows as it is: on one line, and all that has a meaning escaped."""
    line = re.sub(r"\s+", " ", text)
    line = line.strip() if strip else line
    return re.sub(r"[\\`*_\[\]<>&|~$#@]|:(?=//)|(?<=www)\.", r"\\\g<0>", line)


# ---- As HTML ------------------------------------------------------------------------------------


def html_file(page: Page) -> str:
    """The page as one HTML file: no script, and nothing loaded but the figures beside it."""
    first, *others = page.sections
    entries = "\n".join(
        f'<li><a href="#{_anchor(s.title)}">{_esc(s.title)}</a></li>' for s in others
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_esc(page.title)}</title>
<link rel="icon" href="data:,">
<style>
{STYLE}</style>
</head>
<body>
<header>
<h1>{_esc(page.title)}</h1>
</header>
<main>
{_html_section(first)}
<nav aria-label="Contents">
<ul>
{entries}
</ul>
</nav>
{_lines(map(_html_section, others))}
</main>
</body>
</html>
"""


def _html_section(section: Section) -> str:
    anchor = _anchor(section.title)
    return (
        f'<section aria-labelledby="{anchor}">\n<h2 id="{anchor}">{_esc(section.title)}</h2>\n'
        f"{_lines(map(_html_block, section.blocks))}\n</section>"
    )


def _html_block(block: Block) -> str:
    match block:
        case Paragraph(parts, lead):
            return f"{'<p class=lead>' if lead else '<p>'}{_html_inline(parts)}</p>"
        case Title(text):
            return f"<h3>{_esc(text)}</h3>"
        case Table():
            return _html_table(block)
        case Pictures(pictures):
            # Of one size they stand in rows; of several, columns leave no gaps.
            layout = "rows" if len({picture.size for picture in pictures}) == 1 else "columns"
            return f'<div class="{layout}">\n{_lines(map(_html_picture, pictures))}\n</div>'
        case Terms(items):
            terms = (f"<dt>{_esc(n)}</dt>\n<dd>{_html_inline(parts)}</dd>" for n, parts in items)
            return f"<dl>\n{_lines(terms)}\n</dl>"
        case Listing(text):
            return f'<pre tabindex="0"><code>{_esc(text)}</code></pre>'


def _html_table(table: Table) -> str:
    heads = "".join(f'<th scope="col">{_esc(text)}</th>' for text in table.head[1:])
    bodies = []
    for group, rows in table.groups.items():
        lines = [_html_row(row) for row in rows]
        if group:
            span = f'colspan="{len(table.head)}" scope="rowgroup"'
            lines.insert(0, f'<tr class="group"><th {span}><span>{_esc(group)}</span></th></tr>')
        bodies.append(f"<tbody>\n{_lines(lines)}\n</tbody>")
    return (
        f'<div class="scroll" role="region" aria-label="{_esc(table.name)}" tabindex="0">\n'
        f"<table>\n<thead><tr><td></td>{heads}</tr></thead>\n{_lines(bodies)}\n</table>\n</div>"
    )


def _html_row(row: Sequence[Cell]) -> str:
    name, *values = row
    cells = (
        f'<td class="best"><strong>{_esc(cell.text)}</strong></td>'
        if cell.best
        else f"<td>{_esc(cell.text)}</td>"
        for cell in values
    )
    return f'<tr><th scope="row">{_esc(name.text)}</th>{"".join(cells)}</tr>'


def _html_picture(picture: Picture) -> str:
    width, height = picture.size
    caption = f"<figcaption>{_esc(picture.caption)}</figcaption>" if picture.caption else ""
    image = _img(picture, f'width="{width}" height="{height}"')
    return f'<figure>{caption}<a href="{_esc(_url(picture.path))}">{image}</a></figure>'


def _img(picture: Picture, attributes: str) -> str:
    return f'<img src="{_esc(_url(picture.path))}" alt="{_esc(picture.alt)}" {attributes}>'


def _html_inline(parts: Iterable[Inline]) -> str:
    return "".join(
        f'<a href="{_esc(_url(part.url))}">{_esc(part.text)}</a>'
        if isinstance(part, Link)
        else f"<code>{_esc(part.text)}</code>"
        if isinstance(part, Code)
        else _esc(part)
        for part in parts
    )


def _esc(text: str) -> str:
    """Text as HTML shows it, inside an element or a quoted attribute."""
    return html.escape(text)


def _url(address: str) -> str:
    return quote(address, safe="/:")


def _anchor(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


STYLE = """\
:root {
  --paper: #fff; --ink: #1d2226; --dim: #59636b; --line: #d9dee2; --soft: #f4f6f7;
  --link: #0b57a4; --best: #e7f1e6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181b; --ink: #e3e7ea; --dim: #a0abb3; --line: #343c43; --soft: #1d2327;
    --link: #86baf2; --best: #21392a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 78rem; padding: 1.5rem clamp(1rem, 4vw, 3rem) 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
h1 { margin: 0; color: var(--dim); font-size: 1rem; font-weight: 600; }
h2 { margin: 3rem 0 .75rem; font-size: 1.5rem; line-height: 1.25; }
h3 { margin: 2.25rem 0 .75rem; font-size: 1.15rem; }
header + main > section:first-child h2 { margin-top: .25rem;
  font-size: clamp(1.6rem, 4vw, 2.2rem); }
p, dl { max-width: 46rem; }
.lead { font-size: 1.2rem; line-height: 1.5; }
a { color: var(--link); }
nav { margin-top: 2rem; padding: .75rem 0; border: solid var(--line); border-width: 1px 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0; padding: 0;
  list-style: none; }
nav a { display: block; padding: .25rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
dt { font-weight: 600; }
dd { margin: 0 0 .7rem; }
.scroll { max-width: 100%; width: fit-content; overflow-x: auto; border: 1px solid var(--line);
  border-radius: 6px; }
table { border-collapse: collapse; font-size: .925rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .8rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
tbody:last-child tr:last-child > * { border-bottom: 0; }
thead th { white-space: normal; vertical-align: bottom; }
tbody th { text-align: left; font-weight: 400; }
th[scope=row], thead td { position: sticky; left: 0; background: var(--paper);
  border-right: 1px solid var(--line); }
.group th { padding-top: .9rem; background: var(--soft); font-weight: 600; }
.group span { position: sticky; left: .8rem; }
.best { background: var(--best); }
.columns { columns: 24rem; column-gap: 1rem; }
.columns figure { break-inside: avoid; margin-bottom: 1rem; }
.rows { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; padding: .6rem; border: 1px solid var(--line); border-radius: 6px;
  background: #fff; color: #1d2226; overflow-wrap: anywhere; }
figure:only-child { max-width: 46rem; grid-column: 1 / -1; }
figcaption { margin-bottom: .4rem; font-size: .9rem; font-weight: 600; }
figure a { display: block; }
img { display: block; width: 100%; height: auto; }
pre { max-width: 100%; width: fit-content; padding: .8rem 1rem; overflow-x: auto;
  border-radius: 6px; background: var(--soft); font-size: .875rem; line-height: 1.45; }
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 40rem) {
  th[scope=row] { min-width: 7rem; max-width: 9.5rem; white-space: normal; }
  th, td { padding: .35rem .55rem; }
}
"""
