"""Fail when dvc.lock and the committed reports do not match the code and params.

Works on a clean clone without data: there DVC's own `dvc repro --dry --allow-missing` exits 0 in
several stale cases and `dvc status` always fails. So the verdict is the dry run's list of stages
that would run, and the reasons are those of `dvc status` that are not about missing data.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

MISSING = {"deleted", "not in cache"}


def dvc(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", *args], capture_output=True, text=True, check=False)


def reasons(changes: list[Any]) -> list[str]:
    """What is changed in a stage, in words, leaving out what a clean clone lacks."""
    found = []
    for change in changes:
        if isinstance(change, str):
            found.append(change)
            continue
        for kind, entries in change.items():
            for name, state in entries.items():
                if isinstance(state, dict):  # a params file: key -> state
                    found += [f"param {key} ({how})" for key, how in state.items()]
                elif state not in MISSING:
                    what = "output" if kind == "changed outs" else "file"
                    found.append(f"{what} {name} ({state})")
    return found


def main() -> int:
    dry = dvc("repro", "--dry", "--allow-missing")
    stale = [line for line in dry.stdout.splitlines() if line.startswith("Running stage")]
    status = dvc("status", "--json")
    try:
        changed: dict[str, list[Any]] = json.loads(status.stdout)
    except ValueError:
        changed = {}
    named = {stage: found for stage, entries in changed.items() if (found := reasons(entries))}
    if dry.returncode == 0 and not stale and not named:
        print("dvc.lock, reports, code and params agree")
        return 0
    print("error: dvc.lock does not match; run `dvc repro` and commit the results", file=sys.stderr)
    for stage, found in named.items():
        print(f"  {stage}: {', '.join(found)}", file=sys.stderr)
    if not named:
        print("\n".join(["  " + line for line in stale] or [dry.stderr.strip()]), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
