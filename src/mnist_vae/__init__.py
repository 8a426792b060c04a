"""Variational autoencoders on MNIST, trained, measured and drawn."""

import gc
import os
import sys
from pathlib import Path
from types import TracebackType

# Threads that wait for each other spin for some microseconds, then sleep. GNU's OpenMP lets them
# spin on, and a step took ten times as long as soon as another process wanted a core; without any
# spinning it took three times as long on a free machine. Read when torch is loaded, so set before.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# Importing torch makes some hundred thousand objects, none of them garbage: looking for it among
# them every 700 takes a tenth of the import. What a stage leaves later is little: it ends soon.
gc.set_threshold(100_000)


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Let Ctrl-C end a script in one line before it reaches process.run too, while it imports."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"{Path(sys.argv[0]).name}: error: interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end
