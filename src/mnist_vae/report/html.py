"""A page as one HTML file that opens offline: no script, and nothing loaded but its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_vae.report import document

TEMPLATES = Path(__file__).with_name("templates")


def render(page: document.Page) -> str:
    """The page as ``templates/page.html`` lays it out; all text is shown as it is."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # A template asks for the kind of a block by its class: {% if block is Table %}.
    for kind in (*get_args(document.Block), *get_args(document.Inline)):
        environment.tests[kind.__name__] = _instance_of(kind)
    return document.show_turns(environment.get_template("page.html").render(page=page))


def _instance_of(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
