"""A process that runs stages for tests, with faults injected and with a record of what they do.

Each run is a process of its own, with exit code, stderr, limits and signals, forked from one that
has imported torch already: it takes a tenth of a second instead of three.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

from support.mnist_files import idx, lay_out, source_yaml
from support.project import ROOT, STAGES, images_of

MODEL, OTHER = "vae2", "ae2"
SOURCE = "MNIST_VAE_SOURCE"  # names files to take for MNIST
CODE = [ROOT / folder for folder in ("tests", "tools", "src")]

# --- What can be done to a stage before it runs ---------------------------------------------------


def limit_file_size(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(more: int) -> None:
    """Let the process take no more than ``more`` bytes than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


NO_GPU = 77


def limit_gpu_memory(part: float) -> None:
    import torch

    if not torch.cuda.is_available():
        sys.exit(NO_GPU)
    os.environ["MNIST_VAE_DEVICE"] = "cuda"
    torch.cuda.set_per_process_memory_fraction(part)


def turn_back_the_clock() -> None:
    """Set the clock of the wall back by an hour each time that somebody looks."""
    hours = itertools.count(time.time(), -3600)
    time.time = lambda: next(hours)


def wait_for_nobody() -> None:
    from mnist_vae.files import lock

    lock.PATIENCE = 0


INJECT = {
    inject.__name__: inject
    for inject in (
        limit_file_size,
        limit_memory,
        limit_gpu_memory,
        turn_back_the_clock,
        wait_for_nobody,
    )
}


# --- What a stage does ----------------------------------------------------------------------------


class Record(NamedTuple):
    """What one run of a stage did in its project."""

    params: list[str]
    """Keys of params.yaml, in the order in which they were read."""
    read: set[str]
    """Files, but for those that it wrote itself."""
    written: set[str]
    """Files, under the names that they have in the end."""


def record(log: str) -> None:
    """Write a line of JSON to ``log`` for each param read and each file opened or renamed."""
    from mnist_vae import settings

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(*event: object) -> None:
        os.write(descriptor, f"{json.dumps(event)}\n".encode())

    def absolute(path: str | bytes) -> str:
        return str(Path.cwd() / os.fsdecode(path))

    def notice(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str | bytes):
            writes = args[2] & (os.O_WRONLY | os.O_RDWR)
            note("write" if writes else "read", absolute(args[0]))
        elif event == "os.rename":
            note("rename", absolute(args[0]), absolute(args[1]))

    read = settings.read_params

    def recorded(*wanted: tuple[str, Any], **kwargs: Any) -> tuple[Any, ...]:
        if "path" not in kwargs:  # of params.yaml itself
            note("params", *(key for key, _ in wanted))
        return read(*wanted, **kwargs)

    settings.read_params = recorded
    sys.addaudithook(notice)


def read_record(log: Path, project: Path) -> Record:
    """What ``record`` wrote, with paths relative to the project and none outside it."""
    params: list[str] = []
    read, written, gone = set(), set(), set()
    for event, *args in map(json.loads, log.read_text().splitlines()):
        if event == "params":
            params += args
        elif event == "read":
            read.add(args[0])
        else:
            written.add(args[-1])
            gone |= set(args[:-1])

    def inside(paths: set[str]) -> set[str]:
        below = (Path(path) for path in paths if Path(path).is_relative_to(project))
        return {path.relative_to(project).as_posix() for path in below}

    return Record(params, inside(read - written - gone), inside(written - gone))


# --- The process that runs stages -----------------------------------------------------------------


def serve() -> None:
    """Read runs from stdin, a line of JSON each; fork for each, print its pid and exit code."""
    sys.path.insert(0, str(ROOT / "stages"))
    for stage in STAGES.values():  # imports what it needs, and does not run
        runpy.run_path(str(ROOT / stage["cmd"].split()[1]))
    import sklearn.linear_model
    import sklearn.metrics
    import sklearn.neighbors  # noqa: F401

    for line in sys.stdin:
        case = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(play(**case))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    os._exit(0)  # torch takes two seconds to leave


def play(
    folder: str,
    command: list[str],
    log: str,
    record_to: str | None,
    inject: list[Any],
    env: dict[str, str],
) -> int:
    """Be ``python stages/...`` in ``folder``; returns the exit code."""
    os.chdir(folder)
    os.environ.update(env)
    tempfile.tempdir = None  # where TMPDIR says, not where it said at first
    for number, name in enumerate(("in", "out", "err")):
        os.dup2(os.open(f"{log}.{name}", os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = command
    try:
        if inject:
            INJECT[inject[0]](*inject[1:])
        if record_to:
            record(record_to)
        runpy.run_path(str(ROOT / command[0]), run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Host:
    """The other end of ``serve``."""

    def __init__(self, logs: Path) -> None:
        self.log = logs / "stage"
        path = [*map(str, CODE), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        environment.pop(SOURCE, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(
        self,
        project: Path,
        stage: str,
        inject: tuple[object, ...] = (),
        model: str = MODEL,
        record_to: Path | None = None,
        **env: str,
    ) -> int:
        """Start a stage with what ``inject`` names, and return its process id."""
        case = {
            "folder": str(project),
            "command": STAGES[stage]["cmd"].replace("${key}", model).split()[1:],
            "log": str(self.log),
            "record_to": record_to and str(record_to),
            "inject": inject,
            "env": {"MNIST_VAE_DEVICE": "cpu", **env},
        }
        for name in ("out", "err"):  # whoever reads them meanwhile finds nothing of the last run
            Path(f"{self.log}.{name}").write_text("")
        assert self.process.stdin
        print(json.dumps(case), file=self.process.stdin, flush=True)
        return self._number()

    def end(self) -> Ended:
        code = self._number()
        return Ended(code, *(Path(f"{self.log}.{name}").read_text() for name in ("out", "err")))

    def run(self, *args: Any, **kwargs: Any) -> Ended:
        """Start a stage and wait for its end."""
        self.start(*args, **kwargs)
        return self.end()

    def _number(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())


def run_all(host: Host, project: Path, logs: Path) -> dict[tuple[str, str], Record]:
    """Run every stage, for MODEL and for OTHER where it takes a model; records by stage and model.

    The download takes the small images for MNIST. Nothing may be said on stderr.
    """
    source = logs / "source"
    files = {}
    for split, prefix in (("train", "train"), ("test", "t10k")):
        arrays = images_of(split)
        files[f"{prefix}-images-idx3-ubyte"] = idx(arrays["images"][:, 0])
        files[f"{prefix}-labels-idx1-ubyte"] = idx(arrays["labels"])
    lay_out(source, files)
    lay_out(project / "datasets/mnist/source.yaml", source_yaml(files))
    records = {}
    for stage, entry in STAGES.items():
        for model in (MODEL, OTHER) if "${key}" in entry["cmd"] else (MODEL,):
            log = logs / f"{stage}.{model}.jsonl"
            env = {SOURCE: str(source)} if stage == "download" else {}
            ended = host.run(project, stage, model=model, record_to=log, **env)
            assert (ended.code, ended.err) == (0, ""), ended
            records[stage, model] = read_record(log, project)
    return records


if __name__ == "__main__":
    serve()
