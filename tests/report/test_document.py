"""A document as HTML and as Markdown: text shows as text, and each kind of block as what it is."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from support.pages import HOSTILE, Reader, everywhere, rendered

from mnist_vae.explorer import small
from mnist_vae.report import document, html, markdown
from mnist_vae.report.document import Cell, CodeBlock, DefinitionList, Gallery, Paragraph, Picture


def page(*blocks: document.Block) -> document.Page:
    return document.Page("t", [document.Section("s", blocks)])


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_shows_as_text(text: str) -> None:
    hostile, plain = everywhere(text), everywhere("plain")
    in_html, in_markdown = Reader(html.render(hostile)), rendered(markdown.render(hostile))
    in_html.assert_shows(text, Reader(html.render(plain)))
    in_markdown.assert_shows(text, rendered(markdown.render(plain)))
    assert not [key for _, attrs in in_html.elements for key in attrs if key.startswith("on")]
    for _, address in [*in_html.attributes("src"), *in_html.attributes("href")]:
        assert re.fullmatch(r"[\w./:#%,~-]+", address)


def test_what_turns_the_direction_of_text_is_shown() -> None:
    turns = [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    for turn in turns:
        for write in (html.render, markdown.render):
            written = write(everywhere(f"a{chr(turn)}b"))
            assert chr(turn) not in written
            assert f"a(U+{turn:04X})b" in written
    joined = "می\u200cخواهم \U0001f469\u200d\U0001f52c"  # no turn, and needed to write this
    assert joined in html.render(page(Paragraph([joined])))


def test_bare_addresses_are_not_linked_by_github() -> None:
    written = markdown.render(page(Paragraph(["see www.example.com or https://example.com"])))
    assert not re.search(r"www\.|https:", written)  # backslashes part them, which no reader sees
    assert "see www.example.com or https://example.com" in rendered(written).text


def test_a_code_block_cannot_be_ended_from_inside() -> None:
    text = "a: 1\n```\n\n# b\n</code></pre>\n    c\n`````"
    entries = DefinitionList([("a", ["b"])])  # a list would take an indented block in
    reader = rendered(markdown.render(page(entries, CodeBlock(text))))
    assert reader.tags == ["h1", "h2", "ul", "li", "strong", "pre", "code"]
    assert text in "".join(reader.texts)


def test_the_best_of_a_row_is_marked() -> None:
    row = [Cell("row"), Cell("1", best=True), Cell("2")]
    table = page(document.Table("name", ["", "x", "y"], {"": [row]}))
    assert "| row | **1** | 2 |" in markdown.render(table)
    assert '<td class="best"><strong>1</strong></td><td>2</td>' in html.render(table)


def test_pictures_keep_their_place_before_they_are_loaded() -> None:
    pictures = [Picture("a b.png", "alt", "Loss", (1200, height)) for height in (525, 800)]
    reader = Reader(html.render(page(Gallery(pictures))))
    assert reader.attributes("src") == [("img", "a%20b.png")] * 2
    assert reader.attributes("width") == [("img", "1200")] * 2
    assert reader.attributes("height") == [("img", "525"), ("img", "800")]


def test_pictures_wait_until_a_reader_comes_to_them_but_for_the_first_screen() -> None:
    gallery = [Gallery([Picture("a.png", "alt", "", (8, 4))])]
    sections = [document.Section(title, gallery) for title in ("one", "two")]
    reader = Reader(html.render(document.Page("t", sections)))
    assert reader.attributes("loading") == [("img", "eager"), ("img", "lazy")]


def test_contents_lead_to_all_but_the_first_section() -> None:
    sections = [document.Section(t, [Paragraph(["x"])]) for t in ("One", "Two?", "Ünd 3")]
    reader = Reader(html.render(document.Page("t", sections)))
    assert reader.attributes("id") == [("h2", "one"), ("h2", "two"), ("h2", "ünd-3")]
    assert [url for tag, url in reader.attributes("href") if tag == "a"] == ["#two", "#ünd-3"]


def test_something_to_play_with_stands_beside_the_answer_and_may_run() -> None:
    figures = Gallery([Picture("a.png", "alt", "", (8, 4))])
    toy = small.Fragment("<b>toy</b>", "b { color: red }", 'document.title = "ran"')
    plain = page(figures, Paragraph(["after"]))
    written = html.render(plain._replace(play=toy, explorer="explorer.html"))
    assert written.index("a.png") < written.index("<b>toy</b>") < written.index("after")
    policy = re.search('Security-Policy" content="(.*?)"', written)
    assert policy
    for text in (toy.style, toy.script):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f">{text}</" in written
        assert f"sha256-{digest}" in policy[1]
    assert ("a", "explorer.html") in Reader(written).attributes("href")
    assert "script-src" not in html.render(plain)
    assert "explorer.html" in markdown.render(plain._replace(explorer="explorer.html"))


def test_what_is_folded_is_there() -> None:
    folded = page(document.Fold("more", [Paragraph(["inside"]), CodeBlock("code")]))
    tags = Reader(html.render(folded)).tags
    start = tags.index("details")
    assert tags[start : start + 5] == ["details", "summary", "p", "pre", "code"]
    in_markdown = markdown.render(folded)
    assert "<summary>more</summary>\n\ninside\n\n```" in in_markdown
    assert in_markdown.rstrip().endswith("</details>")


def test_in_markdown_each_picture_has_its_caption_above() -> None:
    pictures = [Picture(f"{name}.png", "alt", f"the {name}", (8, 4)) for name in "abc"]
    written = markdown.render(page(Gallery(pictures)))
    assert "| **the a** | **the b** |\n| --- | --- |\n| <img" in written
    reader = rendered(written)
    assert reader.tags.count("table") == 1
    assert reader.attributes("src") == [("img", f"{name}.png") for name in "abc"]
    assert rendered(markdown.render(page(Gallery(pictures[:1])))).tags.count("th") == 1
