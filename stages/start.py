"""How every stage starts: with the code that lies beside it, in a process set up for it.

The package may also be installed, from this folder or from another: an experiment of DVC's runs in
a copy of the project, and has to run the code of that copy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mnist_vae import process
from mnist_vae.errors import InputError

process.start()


def run(main: Callable[[], None]) -> NoReturn:
    """``process.run`` where stages have to run; elsewhere they end with a line that says so."""

    def here() -> None:
        if not Path("params.yaml").exists():
            raise InputError("params.yaml: not found; run from the project's top folder")
        main()

    process.run(here)
