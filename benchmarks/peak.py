"""Run a script and print the most memory that it held, in GiB. Usage: peak.py SCRIPT [ARGUMENT...]

A process starts with its parent's peak as its own: so this small one starts what is measured.
"""

from __future__ import annotations

import resource
import subprocess
import sys

if __name__ == "__main__":
    code = subprocess.call((sys.executable, *sys.argv[1:]))
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
    sys.exit(code)
