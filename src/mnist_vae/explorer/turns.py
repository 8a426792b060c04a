"""What turns the direction of text, made visible on every page."""

from __future__ import annotations

import re


def show_turns(written: str) -> str:
    """A written page with characters that turn the direction of text shown as their numbers.

    Unseen, they could make a page read otherwise than it is written (https://trojansource.codes).
    """
    return re.sub(
        "[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]",
        lambda turn: f"(U+{ord(turn[0]):04X})",
        written,
    )
