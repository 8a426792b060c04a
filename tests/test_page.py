"""Pages as Markdown and as HTML: every kind of block, and hostile text, which shows as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mnist_vae import page
from mnist_vae.page import (
    Cell,
    Code,
    Link,
    Listing,
    Page,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
    Terms,
    Title,
)

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "a | b || c",
    "**bold** _it_ `code` ~~no~~ \\",
    "[text](https://example.com) ![x](y)",
    "https://example.com and www.example.com",
    "&lt;b&gt; &amp;",
    "# no heading",
    "two\nlines",
    "$x$ and \\(y\\)",
    "ünïcode 数",
]


class Reader(HTMLParser):
    """Elements with their attributes, and the text outside <style>; refuses a wrong nesting."""

    VOID = frozenset({"meta", "link", "img", "br", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def attributes(self, name: str) -> list[tuple[str, str | None]]:
        return [(tag, attrs[name]) for tag, attrs in self.elements if name in attrs]


def rendered(written: str) -> Reader:
    """Markdown as CommonMark with GitHub's tables and bare addresses shows it."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Reader(parser.render(written))


def everywhere(text: str) -> Page:
    """A page with ``text`` wherever a text can stand."""
    blocks = [
        Paragraph([text, Link(text, "https://arxiv.org/abs/1"), Code("code")], lead=True),
        Title(text),
        Table(text, ["", text], {text: [[Cell(text), Cell(text, best=True)]]}),
        Pictures([Picture(f"figures/{text}/a.png", text, text, (8, 4))]),
        Terms([(text, [text])]),
        Listing(text),
    ]
    return Page(text, [Section(text, blocks), Section("Other", [Paragraph([text])])])


def shape(reader: Reader) -> list[str]:
    return [tag for tag, _ in reader.elements]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_shows_as_text_in_html(text: str) -> None:
    reader = Reader(page.html_file(everywhere(text)))
    plain = Reader(page.html_file(everywhere("plain")))
    assert shape(reader) == shape(plain)
    assert reader.text.count(" ".join(text.split())) == plain.text.count("plain") > 10
    assert not [name for _, attrs in reader.elements for name in attrs if name.startswith("on")]
    assert ("img", text) in reader.attributes("alt")
    for _, address in [*reader.attributes("src"), *reader.attributes("href")]:
        assert re.fullmatch(r"[\w./:#%,~-]+", address or "")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_shows_as_text_in_markdown(text: str) -> None:
    reader = rendered(page.markdown(everywhere(text)))
    plain = rendered(page.markdown(everywhere("plain")))
    assert shape(reader) == shape(plain)
    assert reader.text.count(" ".join(text.split())) == plain.text.count("plain") > 10
    assert ("img", text) in reader.attributes("alt")


@pytest.mark.parametrize("address", ["www.example.com", "https://example.com"])
def test_bare_addresses_are_not_linked_by_github(address: str) -> None:
    written = page.markdown(Page("a", [Section("b", [Paragraph([f"see {address} there"])])]))
    assert address not in written  # a backslash parts it, which no reader sees
    assert f"see {address} there" in rendered(written).text


def test_a_listing_cannot_be_ended_from_inside() -> None:
    text = "a: 1\n```\n\n# b\n</code></pre>\n    c\n`````"
    blocks = [Terms([("a", ["b"])]), Listing(text)]  # a list would take an indented one in
    reader = rendered(page.markdown(Page("t", [Section("s", blocks)])))
    assert shape(reader) == ["h1", "h2", "ul", "li", "strong", "pre", "code"]
    assert text in "".join(reader.texts)


def test_the_best_of_a_table_is_marked_in_both() -> None:
    table = Table("name", ["", "x", "y"], {"": [[Cell("row"), Cell("1", best=True), Cell("2")]]})
    written = Page("t", [Section("s", [table])])
    assert "| row | **1** | 2 |" in page.markdown(written)
    assert '<td class="best"><strong>1</strong></td><td>2</td>' in page.html_file(written)


def test_a_picture_keeps_its_place_before_it_is_loaded() -> None:
    picture = Picture("figures/m/loss.png", "m: loss", "Loss", (1200, 525))
    written = page.html_file(Page("t", [Section("s", [Pictures([picture])])]))
    (image,) = (attrs for tag, attrs in Reader(written).elements if tag == "img")
    assert (image["width"], image["height"]) == ("1200", "525")


def test_contents_lead_to_all_but_the_first_section() -> None:
    written = Page("t", [Section(name, [Paragraph(["x"])]) for name in ("One", "Two?", "Ünd 3")])
    reader = Reader(page.html_file(written))
    anchors = [value for tag, value in reader.attributes("id") if tag == "h2"]
    assert anchors == ["one", "two", "ünd-3"]
    linked = [attrs["href"] for tag, attrs in reader.elements if tag == "a"]
    assert linked == ["#two", "#ünd-3"]
