"""How a tool ends where a file cannot be read or written: in one line, without a traceback."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from typing import NoReturn


def run(main: Callable[[], int]) -> NoReturn:
    """Call ``main`` and exit with its code, or with 1 and a line that names the file."""
    try:
        code = main()
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"error: {name}{error.strerror or error}", file=sys.stderr)
        code = 1
    except sqlite3.Error as error:  # DVC's notes on files, where nothing can be written
        print(f"error: .dvc/tmp: {error}", file=sys.stderr)
        code = 1
    sys.exit(code)
