"""A page as one HTML file that opens offline: nothing is loaded but its figures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

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
    policy = ["default-src 'none'", "img-src 'self' file: data:", f"style-src {_hash(style)}"]
    if page.play:
        policy[-1] += f" {_hash(page.play.style)}"
        policy.append(f"script-src {_hash(page.play.script)}")
    text = environment.get_template("page.html").render(
        page=page, style=style, policy="; ".join(policy)
    )
    return document.show_turns(text)


def _hash(text: str) -> str:
    """The text of an inline element as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _instance_of(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)
