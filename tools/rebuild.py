"""Make results anew in a copy of what Git has, and compare: a consistent forgery is found so.

Usage: python tools/rebuild.py [--all]

By itself what needs no data: the check of settings, the page and its tables, the study's summaries
and figures, all from committed files, in seconds. With --all the whole pipeline from the download
on, but not the study's trainings. What is made has to be the same, byte for byte, as what is
committed or, where Git has no copy, as dvc.lock says. Only with --all, and where another kind of
device trains than the one that metrics name, errors may differ by a few standard deviations of
reports/over_seeds.json, and nothing else is compared.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("dvc.lock", "studies/dvc.lock")
HOURS = "stages/study.py"
SPREAD = {"distortion.squared_error": "test_squared_error", "train.loss": "final_training_loss"}
"""Metrics whose spread over seeds is known, by their names there."""
DEVIATIONS = 6
"""The difference of two seeds has 1.4 standard deviations, and five seeds say roughly what one is."""

Stages = dict[str, dict[str, Any]]


def locked(root: Path = ROOT) -> Stages:
    """What was run, by stage: command, deps and outs."""
    stages: Stages = {}
    for name in LOCKS:
        if (root / name).exists():
            stages |= yaml.safe_load((root / name).read_text(encoding="utf-8"))["stages"]
    return {name: stage for name, stage in stages.items() if HOURS not in stage["cmd"]}


def plan(stages: Stages, project: Path, everything: bool) -> list[str]:
    """The stages to run, in order: all, or those whose deps are there or made by others of them."""
    wanted = {name for name in stages if everything or name != "download"}
    makers = {out["path"]: name for name, stage in stages.items() for out in stage["outs"]}

    def before(name: str) -> set[str]:
        paths = [dep["path"] for dep in stages[name]["deps"]]
        return {makers[out] for out in makers for path in paths if _touch(out, path)} & wanted

    def possible(name: str) -> bool:
        made = {out["path"] for other in before(name) for out in stages[other]["outs"]}
        deps = {dep["path"] for dep in stages[name]["deps"]}
        return all(dep in made or (project / dep).exists() for dep in deps)

    while impossible := {name for name in wanted if not possible(name)}:
        wanted -= impossible
    order: list[str] = []
    while ready := [name for name in stages if name in wanted and before(name) <= {*order}]:
        order += (new := [name for name in ready if name not in order])
        if not new:
            break
    return order


def _touch(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def files(path: Path) -> list[Path]:
    """A file, or all below a folder; none where there is nothing."""
    return [
        file for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.is_file()
    ]


def compare(stages: Stages, made: Path, root: Path = ROOT) -> Iterator[str]:
    """A line for each output in ``made`` that is not what ``root`` has of it."""
    elsewhere = {
        name for name in stages if (was := _device(root, name)) and was != _device(made, name)
    }
    for name, stage in stages.items():
        for out in stage["outs"]:
            path = out["path"]
            metrics = path.endswith(f"metrics/{name.partition('@')[2]}.json")
            if elsewhere and name not in ("settings", "download"):
                if metrics:
                    yield from _apart(root, made, path)
                continue
            if (root / path).exists() and not path.startswith(("data/", "models/")):
                there = {file.relative_to(root): file.read_bytes() for file in files(root / path)}
                new = {file.relative_to(made): file.read_bytes() for file in files(made / path)}
                for file in sorted(there.keys() | new.keys()):
                    if there.get(file) != new.get(file):
                        yield f"{file}: {name} does not make what is committed"
            elif _md5(made / path) != out["md5"]:
                yield f"{path}: {name} does not make what dvc.lock says"


def _device(project: Path, stage: str) -> str | None:
    path = project / f"reports/metrics/{stage.partition('@')[2]}.json"
    if not stage.startswith("evaluate@") or not path.exists():
        return None
    return str(json.loads(path.read_text())["device"])


def _apart(root: Path, made: Path, path: str) -> Iterator[str]:
    """Errors of a model that differ by more than seeds do."""
    model = Path(path).stem
    known = json.loads((root / "reports/over_seeds.json").read_text())["models"].get(model, {})
    was, new = (json.loads((folder / path).read_text()) for folder in (root, made))
    for metric, name in SPREAD.items():
        section, key = metric.split(".")
        if name in known and abs(new[section][key] - was[section][key]) > DEVIATIONS * (
            deviation := known[name]["sd"]
        ):
            yield (
                f"{path}: {metric} is {was[section][key]:.4g}, here {new[section][key]:.4g}: more "
                f"than {DEVIATIONS} standard deviations of {deviation:.2g}"
            )


def _md5(path: Path) -> str | None:
    return (
        hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.exists() else None
    )


def copy(target: Path, root: Path = ROOT) -> None:
    """What a clone has: the files that Git tracks, as they are in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, target / name)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--all", action="store_true", help="train and measure too; takes minutes")
    everything = parser.parse_args().all
    stages = locked()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy(project)
        order = plan(stages, project, everything)
        for name in order:
            for out in stages[name]["outs"]:  # or what is committed would pass for what was made
                for file in files(project / out["path"]):
                    file.unlink()
        for name in order:
            print(f"{name}: {stages[name]['cmd']}", flush=True)
            command = [sys.executable, *stages[name]["cmd"].split()[1:]]
            done = subprocess.run(command, cwd=project, env=os.environ, check=False)
            if done.returncode:
                print(f"error: {name} failed", file=sys.stderr)
                return 1
        faults = list(compare({name: stages[name] for name in order}, project))
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if not faults:
        print(f"{len(order)} stages made again what is committed")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
