"""How every benchmark starts: with the code that lies beside it, in a process set up as a stage's.

See stages/start.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from mnist_vae.process import run, start

__all__ = ["ROOT", "run"]

start()
