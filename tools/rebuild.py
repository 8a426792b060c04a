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
LOCKS = ("studies/dvc.lock", "dvc.lock")
"""The study first: the page shows its summaries, though they are no deps of it."""
HOURS = "stages/study.py"
IGNORED = ("data/", "models/", "reports/explorer.html")
"""What Git has no copies of."""
ANYWHERE = ("settings", "download")
"""Stages that make the same bytes on every device."""
SPREAD = {"distortion.squared_error": "test_squared_error", "train.loss": "final_training_loss"}
"""Metrics whose spread over seeds is known, by their names there."""
DEVIATIONS = 6
"""Two seeds differ by 1.4 on average, and five seeds say only roughly what one of them is."""

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
    while ready := [n for n in stages if n in wanted.difference(order) and before(n) <= {*order}]:
        order += ready
    return order


def _touch(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def files(path: Path) -> list[Path]:
    """A file, or all below a folder; none where there is nothing."""
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in paths if file.is_file()]


def compare(stages: Stages, made: Path, root: Path = ROOT) -> Iterator[str]:
    """A line for each output of ``stages`` in ``made`` that is not what ``root`` has of it."""
    if (there := _devices(root)) != (here := _devices(made)):
        print(f"note: trained on {_listed(here)}, while what is committed was on {_listed(there)}")
        stages = {name: stages[name] for name in ANYWHERE if name in stages}
        yield from _apart(root, made)
    for name, stage in stages.items():
        for path, md5 in ((out["path"], out["md5"]) for out in stage["outs"]):
            if path.startswith(IGNORED):
                if _md5(made / path) != md5:
                    yield f"{path}: {name} does not make what dvc.lock says"
                continue
            old = {file.relative_to(root): file.read_bytes() for file in files(root / path)}
            new = {file.relative_to(made): file.read_bytes() for file in files(made / path)}
            for file in sorted(old.keys() | new.keys()):
                if old.get(file) != new.get(file):
                    yield f"{file}: {name} does not make what is committed"


def _metrics(project: Path) -> dict[str, dict[str, Any]]:
    paths = (project / "reports/metrics").glob("*.json")
    read = {path.stem: json.loads(path.read_text()) for path in sorted(paths)}
    return {name: metrics for name, metrics in read.items() if "device" in metrics}


def _devices(project: Path) -> dict[str, str]:
    return {name: metrics["device"] for name, metrics in _metrics(project).items()}


def _listed(devices: dict[str, str]) -> str:
    return ", ".join(sorted({*devices.values()})) or "nothing"


def _apart(root: Path, made: Path) -> Iterator[str]:
    """Errors of models that differ by more than seeds do."""
    spreads = json.loads((root / "reports/over_seeds.json").read_text())["models"]
    was, now = _metrics(root), _metrics(made)
    for model in sorted(was.keys() & now.keys() & spreads.keys()):
        for metric, name in SPREAD.items():
            section, key = metric.split(".")
            old, new, sd = (
                was[model][section][key],
                now[model][section][key],
                spreads[model][name]["sd"],
            )
            if abs(new - old) > DEVIATIONS * sd:
                yield (
                    f"{model}: {metric} is {old:.4g}, here {new:.4g}: more than {DEVIATIONS} "
                    f"standard deviations of {sd:.2g}"
                )


def _md5(path: Path) -> str | None:
    if not path.exists():
        return None
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def copy(target: Path, root: Path = ROOT) -> None:
    """What a clone of the working tree has: the files that Git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
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
