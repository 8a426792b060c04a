"""Kill `dvc repro` again and again, at any moment, and see that nothing is lost.

Usage: make torture, or python -m support.torture [--kills 50] [--seed 0] [--out FILE] [--full]

A small project (two models, 400 images) runs once from nothing to its end. Then it does so in other
folders, killed and started again at once: DVC and its stage together, DVC alone and the stage alone
in turn, by SIGKILL, SIGTERM and SIGINT, at random moments and just as something was written. Every
file of every stage must become what it was in the first run, byte for byte, and nothing may be left
over. Only the download, which needs a network, counts as done. --full does the same with all images
of data/ and one model as it is. What is counted is added to the file. Exits 1 where a file differs,
something is left over, Ctrl-C ends in a traceback, or a person would have to mend a thing.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from support.project import ROOT, build, build_full, environment, run

MODELS = ("ae16", "vae2")
EPOCHS = 100  # enough that trainings are often killed behind a checkpoint
GROUP, ALONE, STAGE = "DVC and its stage", "DVC alone", "the stage alone"
KILLS = (
    (GROUP, signal.SIGKILL),
    (ALONE, signal.SIGKILL),
    (STAGE, signal.SIGKILL),
    (GROUP, signal.SIGTERM),
    (ALONE, signal.SIGTERM),  # not SIGINT, which DVC does not hear while a stage runs
    (STAGE, signal.SIGTERM),
    (GROUP, signal.SIGINT),
    (STAGE, signal.SIGINT),
)
WRITTEN = ("dvc.lock", ".dvc/cache/files/md5", "reports/curves", "checkpoints", "data", "models")
DVC = "DVC itself"  # before, between and after stages
BAD = ("differing", "left_over", "tracebacks", "for_a_person")  # must all be empty
# A stage starts; a stage has ended.
MARKS = re.compile(r"^(?:Running stage '(\w+).*'|Updating lock file .*)", re.MULTILINE)


def outputs(project: Path) -> dict[str, str]:
    """SHA-256 of every file of every stage's outputs, by "stage: path"."""
    digests = {}
    for stage, entry in yaml.safe_load((project / "dvc.lock").read_text())["stages"].items():
        for out in entry["outs"]:
            path = project / out["path"]
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                name = f"{stage}: {file.relative_to(project).as_posix()}"
                digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return digests


def files(project: Path) -> set[str]:
    """All there is, DVC's cache too, but for what Git, Python and DVC keep as their own notes."""
    paths = (path.relative_to(project) for path in project.rglob("*") if path.is_file())
    notes = {".git", "__pycache__", "tmp"}
    return {path.as_posix() for path in paths if notes.isdisjoint(path.parts)}


def left_over(project: Path, reference: Path) -> list[str]:
    """Files that the reference lacks, processes still alive, what keeps DVC from being done."""
    found = sorted(files(project) - files(reference))
    for process in psutil.process_iter(["cwd"]):
        if Path(process.info["cwd"] or "/").is_relative_to(project):
            found.append(f"process {process.pid}")
    again = run(project, "dvc", "repro")
    if again.returncode != 0 or "Running stage" in again.stdout:
        found.append(f"a next run does more: {again.stdout}{again.stderr}")
    return found


def running(text: str) -> str:
    """The stage that ran, by what DVC had printed until then."""
    return next((mark[1] for mark in [*MARKS.finditer(text)][-1:]), None) or DVC


class Moment(NamedTuple):
    """When to kill: after some seconds, or as soon as a file or a folder has changed so often."""

    seconds: float
    path: str = ""
    changes: int = 0

    @classmethod
    def draw(cls, draw: random.Random, longest: float) -> Moment:
        """Half of all moments are chosen by time."""
        if draw.random() < 0.5:
            return cls(draw.uniform(0, longest))
        return cls(600, draw.choice(WRITTEN), draw.randint(1, 6))

    def wait(self, dvc: subprocess.Popen[bytes], project: Path) -> bool:
        """Whether it came before DVC had ended."""
        until, left, seen = time.monotonic() + self.seconds, self.changes, None
        while dvc.poll() is None:
            now = _state(project / self.path) if self.path else None
            left -= now != seen
            seen = now
            if time.monotonic() > until or (self.path and left < 0):
                return True
            time.sleep(0.001)
        return False


def _state(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def kill(dvc: subprocess.Popen[bytes], whom: str, number: signal.Signals) -> None:
    """Send a signal; to a stage alone as soon as there is one."""
    while whom == STAGE and dvc.poll() is None:
        try:
            for process in psutil.Process(dvc.pid).children(recursive=True):
                if process.name().startswith("python"):  # and no shell between the two
                    process.send_signal(number)
                    return
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.001)
    if whom == ALONE:
        dvc.send_signal(number)
    elif whom == GROUP:
        os.killpg(dvc.pid, number)


def attempt(
    project: Path, log: Path, moment: Moment | None, whom: str, number: signal.Signals
) -> tuple[bool, int]:
    """Run `dvc repro`, killed at a moment; whether so, and its code.

    Returns as soon as DVC has ended, as a shell does: a stage that outlives it must do no harm.
    """
    with log.open("w") as file:
        dvc = subprocess.Popen(
            ["dvc", "repro"],
            cwd=project,
            env=environment(project),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    killed = moment is not None and moment.wait(dvc, project)
    if killed:
        kill(dvc, whom, number)
    try:
        return killed, dvc.wait(600)
    except subprocess.TimeoutExpired:
        os.killpg(dvc.pid, signal.SIGKILL)
        raise


def torture(
    folder: Path,
    reference: Path,
    build: Callable[[Path], object],
    *,
    kills: int,
    seed: int,
    longest: float,
) -> dict[str, Any]:
    """Run the reference's project in ``folder`` again and again, killed within ``longest`` seconds.

    ``build`` makes in an empty folder what the reference was before it ran. Goes on until there
    were so many kills and the last run is at its end; gives what was counted.
    """
    draw = random.Random(seed)
    wanted = outputs(reference)
    by_signal: Counter[str] = Counter()
    by_stage: Counter[str] = Counter()
    by_whom: Counter[str] = Counter()
    by_moment: Counter[str] = Counter()
    finished = resumed = mended = in_dvc = 0
    differing: list[str] = []
    left: list[str] = []
    tracebacks: list[str] = []
    stuck: list[str] = []
    while by_signal.total() < kills and not stuck:
        project = folder / f"run{finished}"
        project.mkdir()
        build(project)
        code = 1
        logs: list[Path] = []
        while code != 0 and not stuck:
            done = by_signal.total()
            whom, number = KILLS[done % len(KILLS)]
            logs.append(folder / f"{project.name}.{len(logs)}.log")
            moment = Moment.draw(draw, longest) if done < kills else None
            killed, code = attempt(project, logs[-1], moment, whom, number)
            text = logs[-1].read_text()
            if killed and moment and code != 0:
                when = f"as {moment.path} changed" if moment.path else "at any time"
                for counter, what in (
                    (by_signal, number.name),
                    (by_stage, running(text)),
                    (by_whom, whom),
                    (by_moment, when),
                ):
                    counter[what] += 1
                line = f"{number.name} to {whom} in {running(text)}, {when}"
                print(f"kill {done + 1} of {kills}: {line}", flush=True)
            elif code != 0:  # it ended by itself, and a Makefile's recipe would do this
                tried = run(project, "python", "tools/mend_lock.py")
                print(text, tried.stdout, flush=True)
                mended += 1
                stuck += [text] * (tried.returncode != 0)
        # Read only now: a stage may have outlived DVC and gone on printing.
        for text in (log.read_text() for log in logs):
            resumed += text.count("going on after epoch")
            if "Traceback" in text and running(text) == DVC:
                in_dvc += 1
            elif "Traceback" in text:
                tracebacks.append(text)
        if code == 0:
            finished += 1
            found = outputs(project)
            differing += [
                f"{project.name}, {name}"
                for name in sorted(wanted.keys() | found.keys())
                if wanted.get(name) != found.get(name)
            ]
            left += [f"{project.name}, {what}" for what in left_over(project, reference)]
    return {
        "kills": dict(by_signal),
        "kills_of": dict(by_whom.most_common()),
        "kills_in": dict(by_stage.most_common()),
        "kills_when": dict(by_moment.most_common()),
        "finished_runs": finished,
        "files_compared_in_each": len(wanted),
        "trainings_resumed": resumed,
        "files_of_dvc_mended": mended,
        "tracebacks_of_dvc": in_dvc,
        **dict(zip(BAD, (differing, left, tracebacks, stuck), strict=True)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "torture.json")
    parser.add_argument("--full", action="store_true", help="all images, one model as it is")
    given = parser.parse_args()
    make = build_full if given.full else functools.partial(build, models=MODELS, epochs=EPOCHS)
    # A shell starts background jobs deaf to Ctrl-C, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        reference = Path(folder) / "reference"
        reference.mkdir()
        make(reference)
        before = os.times()
        done = run(reference, "dvc", "repro")
        assert done.returncode == 0, done.stdout + done.stderr
        after = os.times()  # processor time, which a busy machine does not stretch
        whole = sum(after[2:4]) - sum(before[2:4])
        print(f"the undisturbed run took {whole:.0f} s", flush=True)
        found = torture(
            Path(folder), reference, make, kills=given.kills, seed=given.seed, longest=whole / 2
        )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    table = json.loads(given.out.read_text()) if given.out.exists() else {}
    table["full" if given.full else "small"] = {"seed": given.seed, **found}
    text = json.dumps(table, indent=2) + "\n"
    given.out.write_text(text)
    print(text, end="")
    return int(any(found[key] for key in BAD))


if __name__ == "__main__":
    sys.exit(main())
