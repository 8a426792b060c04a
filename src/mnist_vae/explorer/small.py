"""The small form of the explorer: the latent planes of 2-d models, to put into another page.

The stage ``explore`` writes it to ``reports/play.json``, and reading it takes no torch. A page
includes it so, under a content security policy without ``unsafe-inline``::

    play = small.read(Path("reports/play.json"))   # None where no model has two dimensions
    policy = f"style-src {play.style_source}; script-src {play.script_source}"

    <meta http-equiv="Content-Security-Policy"
          content="default-src 'none'; img-src 'self'; {{ policy }}">
    <style>{{ play.style | safe }}</style>       in the head, beside the page's own style, which
                                                 the policy names too, by ``page.source(text)``
    {{ play.markup | safe }}                     where it is to stand, below a line that says what
                                                 to do: "Drag the dot."
    <script>{{ play.script | safe }}</script>    at the end of the body

The hashes are of the text between the tags, byte for byte: leave no blank or line break around it.
The markup holds the weights of the decoders, in whole numbers of 16 bits, as JSON that no browser
runs. All rules of the style stand under ``.explorer``, with colours for light and dark of its own,
so the page's style and this one leave each other alone. Nothing is asked of a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mnist_vae.errors import InputError
from mnist_vae.explorer import page
from mnist_vae.files import store


class Fragment(NamedTuple):
    """What to put into a page."""

    markup: str
    style: str
    script: str

    @property
    def style_source(self) -> str:
        """The style as a content security policy names it."""
        return page.source(self.style)

    @property
    def script_source(self) -> str:
        """The script as a content security policy names it."""
        return page.source(self.script)


def fragment(content: Mapping[str, Any]) -> Fragment:
    """The small form of what ``content.small`` composed."""
    data = page.data(content)
    markup = (
        '<div class="explorer" id="explorer-small"></div>\n'
        f'<script type="application/json" id="explorer-small-data">{data}</script>\n'
    )
    return Fragment(markup, page.style("parts"), page.script(*page.SCRIPTS, "small"))


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Publish what ``content.small`` composed."""
    store.write_json(path, content)


def read(path: Path) -> Fragment | None:
    """The small form that ``write`` kept; None where no model has two dimensions.

    Raises InputError for a file that is missing or damaged.
    """
    content = store.read_json(path)
    if not isinstance(content.get("models"), list):
        raise InputError(f"{path}: lacks models{store.AGAIN}")
    return fragment(content) if content["models"] else None
