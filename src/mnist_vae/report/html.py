"""A page as one HTML file that opens offline: nothing is loaded but its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_vae.explorer import page as inline
from mnist_vae.explorer.turns import show_turns
from mnist_vae.report import document

TEMPLATES = Path(__file__).with_name("templates")


def render(page: document.Page) -> str:
    """The page as ``templates/page.html`` lays it out; all text is shown as it is.

    A browser runs and loads nothing but what stands here now: scripts and styles have the hashes
    that the page's policy names, and images lie beside it.
    """
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
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    styles = f"style-src {inline.source(style)}"
    policy = ["default-src 'none'", "img-src 'self' file: data:", styles]
    if page.play:
        policy[-1] += f" {page.play.style_source}"
        policy.append(f"script-src {page.play.script_source}")
    text = environment.get_template("page.html").render(
        page=page, style=style, policy="; ".join(policy)
    )
    return show_turns(text)


def _instance_of(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
