"""Scripts and styles of the explorer, and the policy under which a page may run them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mnist_vae.explorer.turns import show_turns

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("network", "dom", "scatter", "planes")
"""What both forms are made of."""
VIEWS = ("sketch", "map", "dials", "between", "main")


def script(*names: str) -> str:
    """Files of JavaScript as one, in which nothing becomes a global name of the page around it."""
    parts = [(TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def style(*names: str) -> str:
    """Files of CSS as one."""
    return "".join((TEMPLATES / f"{name}.css").read_text(encoding="utf-8") for name in names)


def source(text: str) -> str:
    """How a content security policy names an inline script or style: by its SHA-256."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data(content: Mapping[str, Any]) -> str:
    """JSON for a ``<script type="application/json">``: no text in it can end the element.

    Nor can any turn the direction of what the script shows: see ``show_turns``, which sees only
    what is not escaped.
    """
    text = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return show_turns(text).replace("<", "\\u003c")


def render(content: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """The page of the explorer: ``content`` is for its script, ``words`` for its text."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    code, looks = f"\n{script(*SCRIPTS, *VIEWS)}", f"\n{style('parts', 'page')}"
    text = environment.get_template("explorer.html").render(
        words=words, script=code, style=looks, data=data(content), source=source
    )
    return show_turns(text)
