"""The gate: fail when what is committed does not fit together. Works on a clean clone without data.

What is looked at, each by a function of ``CHECKS``:

- dvc.lock, studies/dvc.lock and the committed reports against code and params;
- the code deps of dvc.yaml and the versions in versions/ against imports and requirements.txt,
  or DVC would not see that code changed;
- stages that are frozen, of which DVC says nothing;
- files and lock entries of models and grids that params.yaml does not name;
- the installed packages against the versions;
- the templates of charts, which DVC reads only when somebody asks for one;
- the numbers in README and docs against the files that they come from (tools/quotes.py).

What it cannot see is a change of all at once, made to agree: `make rebuild` makes results anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import deps
import ends
import prune
import quotes
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

NOT_IN_A_CLONE = ("data/", "models/", "reports/explorer.html/")
"""What Git ignores, so that nothing there can be missed."""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same as safe_load's; in C, where PyYAML has it, in a tenth of the time."""
HOURS = "studies/dvc.yaml:study@notebook"
"""A stage that is run once, by whoever has the hours."""
SUMMARY = "studies/dvc.yaml:summarize@notebook"
"""What takes seconds of it, from what is committed."""


# --- What DVC says --------------------------------------------------------------------------------


def dvc(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", *args], capture_output=True, text=True, check=False)


def stages_of(lock: Path) -> list[str]:
    """The stages of a lock file, which have run; none of one that DVC cannot read either."""
    try:
        return [*LOADER(lock.read_text(encoding="utf-8")).get_single_data()["stages"]]
    except (FileNotFoundError, ValueError, yaml.YAMLError, TypeError, KeyError):
        return []


def studied() -> list[str]:
    """The stages of the study that have results, by which they can be out of date."""
    return [f"studies/dvc.yaml:{name}" for name in stages_of(Path("studies/dvc.lock"))]


def _running(dry: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a dry run would run."""
    return [line for line in dry.stdout.splitlines() if line.startswith("Running stage")]


def reasons(changes: list[Any]) -> list[str]:
    """What is changed in a stage, in words, leaving out what a clean clone lacks."""
    words = []
    for change in changes:
        if isinstance(change, str):
            words.append(change)
            continue
        for kind, entries in change.items():
            for name, state in entries.items():
                missing = state == "deleted" and f"{name}/".startswith(NOT_IN_A_CLONE)
                if isinstance(state, dict):  # a params file: key -> state
                    words += [f"param {key} ({key_state})" for key, key_state in state.items()]
                elif not missing and state != "not in cache":
                    role = "output" if kind == "changed outs" else "file"
                    words.append(f"{role} {name} ({state})")
    return words


def lock() -> Iterator[str]:
    """What `dvc repro` would run, and why.

    DVC's own `dvc repro --dry --allow-missing` exits 0 in several stale cases, and `dvc status`
    always fails in a clean clone. So the verdict is the dry run's list of stages, together with
    those reasons of `dvc status` that are not about missing data.
    """
    # Of the study those that have run: a grid without results says nothing that could be wrong.
    known = [name for name in ("dvc.yaml", *studied()) if Path(name.split(":")[0]).exists()]
    targets = [name for name in known if name not in (HOURS, SUMMARY)]
    would = ("repro", "--dry", "--allow-missing")
    dry = [dvc(*would, *targets)]
    if SUMMARY in known:
        dry.append(dvc(*would, "--single-item", SUMMARY))
    failed = any(each.returncode for each in dry)
    stale = list(dict.fromkeys(line for each in dry for line in _running(each)))
    if HOURS in known and not failed:
        old = dvc(*would, HOURS)
        if old.returncode or _running(old):  # it fails where a clean clone lacks its data
            print("note: the grid notebook was made with other code, settings or data than stand")
            print("here, as the page says; it takes hours, so this is no error:")
            print("`make study-notebook` brings it up to date")
    status = dvc("status", "--json")
    try:
        changes: dict[str, list[Any]] = json.loads(status.stdout)
    except ValueError:
        changes = {}
    ran = {*stages_of(Path("dvc.lock")), *studied()}
    changed = {
        stage: words if stage in ran else ["has not run"]
        for stage, entries in changes.items()
        if (stage in known or "studies/" not in stage)
        # What took hours may be old, but has to be what came out then.
        and (words := [w for w in reasons(entries) if stage != HOURS or w.startswith("output ")])
    }
    if not failed and not stale and not changed:
        return
    of_study = [name for name in changed or stale if "studies/dvc.yaml" in name]
    hours = any(HOURS in name for name in of_study)
    summary = any(SUMMARY in name for name in of_study)
    commands = [
        *(["`dvc repro`"] if len(of_study) < len(changed or stale) or not changed else []),
        *(["`make study`"] if len(of_study) > hours + summary else []),
        *(["`make study-notebook`"] if hours else []),
        *([f"`dvc repro -s {SUMMARY}`"] if summary and not hours else []),
    ]
    details = [f"{stage}: {', '.join(words)}" for stage, words in changed.items()]
    details = details or stale or [each.stderr.strip() for each in dry]
    run = " and ".join(commands)
    head = f"dvc.lock does not match; run {run} and commit the results"
    yield "\n  ".join([head, *filter(None, details)])


# --- What DVC does not say ------------------------------------------------------------------------


def code_deps() -> Iterator[str]:
    try:
        yield from deps.differences()
    except ValueError as error:  # no pipeline at all
        yield f"dvc.yaml: {error}"


def frozen() -> Iterator[str]:
    for pipeline in deps.pipelines():
        try:
            stages = yaml.safe_load(Path(pipeline).read_text(encoding="utf-8"))["stages"]
            kept = [name for name, entry in stages.items() if entry.get("do", entry).get("frozen")]
        except (yaml.YAMLError, TypeError, KeyError, AttributeError):
            continue  # no pipeline, as the other checks say
        for name in kept:
            yield f"{pipeline}: {name} is frozen, and so never out of date: remove `frozen`"


def left_over() -> Iterator[str]:
    try:
        with Repo() as repo:
            paths, entries = prune.orphans(repo)
    except DvcException:
        return  # the lock's check says why
    found = [*map(str, paths), *(name for names in entries.values() for name in names)]
    if found:
        shown = f"{', '.join(found[:5])}{f' and {len(found) - 5} more' * (len(found) > 5)}"
        yield f"of no model or grid in params.yaml: {shown}: make prune removes them"


def environment() -> Iterator[str]:
    for file in sorted(Path(deps.VERSIONS).glob("*")):
        pinned = file.read_text(encoding="utf-8").strip()
        try:
            there = version(file.name).partition("+")[0]
        except PackageNotFoundError:
            there = "no version"
        if there not in pinned.split(" or "):
            yield f"{file.name}: {there} is installed, {pinned} is pinned: run make test"


def charts() -> Iterator[str]:
    for file in sorted(Path(".dvc/plots").glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            yield f"{file}: no JSON: {error}"


CHECKS = (lock, code_deps, frozen, left_over, environment, charts, quotes.differences)


def main() -> int:
    faults = [fault for check in CHECKS for fault in check()]
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if not faults:
        print("dvc.lock, reports, code, params, versions and the numbers in texts agree")
    return int(bool(faults))


if __name__ == "__main__":
    ends.run(main)
