"""Fail when dvc.lock, studies/dvc.lock and the committed reports do not match code and params.

Works on a clean clone without data: there DVC's own `dvc repro --dry --allow-missing` exits 0 in
several stale cases and `dvc status` always fails. So the verdict is the dry run's list of stages
that would run, and the reasons are those of `dvc status` that are not about missing data. The code
deps of dvc.yaml have to be what the stages import too, or DVC would not see that code changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import deps
import yaml

MISSING = {"deleted", "not in cache"}


HOURS = "@notebook"
"""Of stages that are run once, and by whoever has the hours."""


def dvc(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", *args], capture_output=True, text=True, check=False)


def studied(root: Path = Path()) -> list[str]:
    """The stages of the study that have results, by which they can be out of date."""
    lock = root / "studies/dvc.lock"
    stages = yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}
    return [f"studies/dvc.yaml:{name}" for name in stages]


def reasons(changes: list[Any]) -> list[str]:
    """What is changed in a stage, in words, leaving out what a clean clone lacks."""
    words = []
    for change in changes:
        if isinstance(change, str):
            words.append(change)
            continue
        for kind, entries in change.items():
            for name, state in entries.items():
                if isinstance(state, dict):  # a params file: key -> state
                    words += [f"param {key} ({key_state})" for key, key_state in state.items()]
                elif state not in MISSING:
                    role = "output" if kind == "changed outs" else "file"
                    words.append(f"{role} {name} ({state})")
    return words


def main() -> int:
    # Of the study those that have run: a grid without results says nothing that could be wrong.
    targets = [name for name in ("dvc.yaml", *studied()) if Path(name.split(":")[0]).exists()]
    dry = [dvc("repro", "--dry", "--allow-missing", target) for target in targets]
    output = [line for done in dry for line in done.stdout.splitlines()]
    running = list(dict.fromkeys(line for line in output if line.startswith("Running stage")))
    stale = [line for line in running if HOURS not in line]
    if stale != running:
        print(
            "note: the grid notebook is older than the code, as the page says; it takes hours, so"
        )
        print("this is no error: `make study-notebook` brings it up to date")
    status = dvc("status", "--json")
    try:
        changes: dict[str, list[Any]] = json.loads(status.stdout)
    except ValueError:
        changes = {}
    changed = {
        stage: words
        for stage, entries in changes.items()
        if HOURS not in stage
        and (stage in targets or "studies/" not in stage)
        and (words := reasons(entries))
    }
    try:
        wrong_deps = deps.differences()
    except ValueError as error:
        wrong_deps = [f"dvc.yaml: {error}"]
    for line in wrong_deps:
        print(f"error: {line}", file=sys.stderr)
    if all(done.returncode == 0 for done in dry) and not stale and not changed:
        if not wrong_deps:
            print("dvc.lock, reports, code and params agree")
        return int(bool(wrong_deps))
    of_study = [name for name in changed or stale if "studies/dvc.yaml" in name]
    commands = [
        *(["`dvc repro`"] if len(of_study) < len(changed or stale) or not changed else []),
        *(["`make study`"] if of_study else []),
    ]
    run = " and ".join(commands)
    print(f"error: dvc.lock does not match; run {run} and commit the results", file=sys.stderr)
    for stage, words in changed.items():
        print(f"  {stage}: {', '.join(words)}", file=sys.stderr)
    if not changed:
        shown = ["  " + line for line in stale] or [done.stderr.strip() for done in dry]
        print("\n".join(filter(None, shown)), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
