"""How every stage starts: with the code that lies beside it, in a process set up for it.

The package may also be installed, from this folder or from another: an experiment of DVC's runs in
a copy of the project, and has to run the code of that copy.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mnist_vae.process import run, start

__all__ = ["run"]

start()
