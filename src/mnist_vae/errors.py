"""The one error that a user is meant to read."""

from __future__ import annotations


class InputError(Exception):
    """Something given to the project is wrong; the message is the one line its user reads.

    It names the file or the key, what was found there and what is allowed.
    """
