"""How a stage's process starts and ends: each case in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.project import ROOT, environment

from mnist_vae import process
from mnist_vae.errors import InputError

LESS = "; when training, a smaller batch_size needs less"
INTERRUPTED = "interrupted; nothing half-written is left, run it again to go on"


def run_python(
    script: str, stdout: Any = subprocess.PIPE, stderr: Any = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script that imports as a stage does, with what it prints buffered."""
    env = environment(ROOT) | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'stages'}"}
    for name in ("PYTHONUNBUFFERED", "GOMP_SPINCOUNT"):
        env.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", script],
        stdout=stdout,
        stderr=stderr,
        env=env | variables,
        cwd="/",
        text=True,
        timeout=120,
    )


def run_main(body: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    """Run a script whose ``main`` is ``body``."""
    return run_python(
        "import errno, os, signal\nfrom mnist_vae import errors, process\n"
        f"def main():\n    {body}\nprocess.run(main)\n",
        **streams,
    )


# --- How it starts --------------------------------------------------------------------------------

STATE = """
import gc, json, os, pkgutil, signal, sys

def state():
    smallest = float("1e-310")
    return {
        "hook": sys.excepthook is not sys.__excepthook__,
        "threshold": gc.get_threshold()[0],
        "environment": dict(os.environ),
        "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM)],
        "tiny numbers": smallest * 1 > 0,
    }
"""
LIFE = """
import matplotlib, openTSNE, sklearn, torch  # some set variables, which is not of this project

states = [state()]
import mnist_vae
for module in pkgutil.walk_packages(mnist_vae.__path__, "mnist_vae."):
    __import__(module.name)
states.append(state())
import start
states.append(state())
mnist_vae.process.tune_for_training()
states.append(state())
print(json.dumps(states))
"""


@pytest.fixture(scope="module")
def states() -> list[dict[str, Any]]:
    """What holds for a process at first, with all modules, started, and tuned for training."""
    ended = run_python(STATE + LIFE)
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_importing_every_module_leaves_the_process_as_it_was(states: list[dict[str, Any]]) -> None:
    assert states[1] == states[0]
    assert (states[0]["hook"], states[0]["tiny numbers"]) == (False, True)


def test_a_stage_sets_up_its_process(states: list[dict[str, Any]]) -> None:
    variables = {**states[1]["environment"], "GOMP_SPINCOUNT": "10000"}
    changed = {"hook": True, "threshold": 100_000, "environment": variables}
    assert states[2] == {**states[1], **changed}


def test_a_stage_that_trains_takes_tiny_numbers_for_zero(states: list[dict[str, Any]]) -> None:
    assert states[3] == {**states[2], "tiny numbers": False}


def test_a_stage_leaves_what_its_user_has_set() -> None:
    script = f"{STATE}\nimport start; print(state()['environment']['GOMP_SPINCOUNT'])"
    assert run_python(script, GOMP_SPINCOUNT="7").stdout == "7\n"


@pytest.mark.parametrize(
    ("body", "code", "shape"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, r"-c: error: interrupted\n"),
        ("{}['key']", 1, r"Traceback(.*\n)+KeyError: 'key'\n"),
    ],
)
def test_ctrl_c_while_a_stage_imports_ends_in_one_line(body: str, code: int, shape: str) -> None:
    ended = run_python(f"import os, signal, start; {body}")
    assert ended.returncode == code
    assert re.fullmatch(shape, ended.stderr)


# --- With whom it ends ----------------------------------------------------------------------------

STAGE = """
import os, sys, time
{start}
print(os.getpid(), flush=True)
try:
    {work}
except BaseException as error:  # SIGTERM is Ctrl-C once a stage runs, and may be cleaned up after
    print(type(error).__name__, flush=True)
"""
TOLD = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler); "
STARTED = f"{TOLD}import start"
NOT_LINUX = (
    f"{TOLD}from pathlib import Path; from mnist_vae import process;"
    "process.Path = lambda name: Path('/nowhere'); import start"
)
PARENT = (
    "import subprocess, sys; subprocess.run([*sys.argv[2:], sys.executable, '-c', sys.argv[1]])"
)
SHELL = ("sh", "-c", '"$@"; exit', "sh")  # one that waits, as Debian's does for all commands


def end_of_the_stage(
    start: str,
    number: signal.Signals,
    *between: str,
    work: str = "time.sleep(60)",
    **variables: str,
) -> str:
    """What a stage says that the death of its parent, or of the one before, ends; or "goes on"."""
    env = environment(ROOT) | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'stages'}"}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, STAGE.format(start=start, work=work), *between],
        stdout=subprocess.PIPE,
        text=True,
        env=env | variables,
    ) as parent:
        assert parent.stdout
        stage = psutil.Process(int(parent.stdout.readline()))
        assert (stage.ppid() != parent.pid) == bool(between)
        parent.send_signal(number)
        parent.wait(60)
        try:
            stage.wait(2 if "DVC_STAGE" not in variables else 60)
        except psutil.TimeoutExpired:
            stage.kill()
            return "goes on"
        return parent.stdout.read().strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    ("start", "between"),
    [(STARTED, ()), (STARTED, SHELL), (NOT_LINUX, ())],
    ids=["Linux", "through a shell", "elsewhere"],
)
def test_a_stage_ends_with_the_dvc_that_runs_it(
    start: str, between: tuple[str, ...], number: signal.Signals
) -> None:
    assert end_of_the_stage(start, number, *between, DVC_STAGE="train") == "KeyboardInterrupt"


def test_a_stage_started_by_hand_may_outlive_its_shell() -> None:
    assert end_of_the_stage(STARTED, signal.SIGKILL) == "goes on"


def test_an_interrupt_that_is_lost_comes_again() -> None:
    """Python drops what is raised in a destructor."""
    lost = f"{STARTED}\nclass Slow:\n    def __del__(self): time.sleep(2)"
    end = end_of_the_stage(lost, signal.SIGKILL, work="Slow(); time.sleep(60)", DVC_STAGE="train")
    assert end == "KeyboardInterrupt"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread would see it")
def test_a_stage_whose_dvc_ended_before_it_began_ends_too() -> None:
    """Then the process that takes in orphans is its parent, which is of another session."""
    script = "import os, time; os.setsid(); import start; time.sleep(60)"
    assert run_python(script, DVC_STAGE="train@vae2").returncode == -signal.SIGTERM


def test_a_stage_whose_dvc_ends_while_it_begins_ends_too() -> None:
    """Between two looks at it: then nothing has its number."""
    script = """
import subprocess, sys, time
from mnist_vae import process
gone = subprocess.Popen(["true"])
gone.wait()
process._runners = lambda: [gone.pid]
import start
time.sleep(60)
"""
    assert run_python(script, DVC_STAGE="train@vae2").returncode == -signal.SIGTERM


# --- How it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("raise errors.InputError('seed: found -1')", 1, "seed: found -1"),
        ("raise errors.InputError('two\\n  lines')", 1, "two lines"),
        ("raise KeyboardInterrupt", 130, INTERRUPTED),
        ("os.kill(os.getpid(), signal.SIGTERM)", 130, INTERRUPTED),
        ("open('no/such.csv')", 1, "no/such.csv: No such file or directory"),
        (
            "raise OSError(errno.ENOSPC, 'No space', 'models/a')",
            1,
            "models/a: not written, the disk is full; free some space, run it again",
        ),
        (
            "raise OSError(errno.EDQUOT, 'Quota')",
            1,
            "a file: not written, the disk is full; free some space, run it again",
        ),
        (
            "raise OSError(errno.EFBIG, 'Too large', 'models/a')",
            1,
            "models/a: larger than the file-size limit of this shell (ulimit -f)",
        ),
        ("bytearray(2**62)", 1, "out of memory: this stage needs more than there is" + LESS),
        (
            "raise RuntimeError('MPS out of memory')",
            1,
            "the device is out of memory: MPS out of memory" + LESS,
        ),
        (
            "raise type('OutOfMemoryError', (RuntimeError,), {})('CUDA: 2 GiB\\nand more')",
            1,
            "the device is out of memory: CUDA: 2 GiB" + LESS,
        ),
    ],
)
def test_what_a_user_can_mend_ends_in_one_line(body: str, code: int, line: str) -> None:
    ended = run_main(body)
    assert (ended.returncode, ended.stderr) == (code, f"-c: error: {line}\n")


@pytest.mark.parametrize(
    ("body", "last"),
    [
        ("raise RuntimeError('shapes do not match')", "RuntimeError: shapes do not match"),
        ("raise ValueError('bug')", "ValueError: bug"),
        ("{}['key']", "KeyError: 'key'"),
    ],
)
def test_a_defect_keeps_its_traceback(body: str, last: str) -> None:
    ended = run_main(body)
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.splitlines()[-1] == last
    assert ended.returncode == 1


@pytest.mark.parametrize(
    ("end", "code", "message"),
    [("pass", 0, ""), ("raise KeyboardInterrupt", 130, f"-c: error: {INTERRUPTED}\n")],
)
def test_ctrl_c_comes_too_late_for_a_script_that_is_ending(
    end: str, code: int, message: str
) -> None:
    ended = run_main(f"import atexit; atexit.register(os.kill, os.getpid(), signal.SIGINT); {end}")
    assert (ended.returncode, ended.stderr) == (code, message)


def test_ctrl_c_while_a_file_is_made_leaves_nothing_half_written(tmp_path: Path) -> None:
    body = (
        "from pathlib import Path; from mnist_vae.files import store; make = os.open;"
        "os.open = lambda *how: (make(*how), os.kill(os.getpid(), signal.SIGINT));"
        f"store.write_bytes(Path({str(tmp_path / 'a.json')!r}), b'new')"
    )
    ended = run_main(body)
    assert (ended.returncode, ended.stderr) == (130, f"-c: error: {INTERRUPTED}\n")
    assert list(tmp_path.iterdir()) == []


def test_success_is_silent() -> None:
    ended = run_main("pass")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_was_printed_comes_before_the_error(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+") as log:
        body = "print('epoch 1'); raise errors.InputError('stop')"
        ended = run_main(body, stdout=log, stderr=log)
        log.seek(0)
        assert log.read() == "epoch 1\n-c: error: stop\n"
    assert ended.returncode == 1


def test_a_closed_pipe_does_not_hide_the_error() -> None:
    read, write = os.pipe()
    os.close(read)
    ended = run_main("print('epoch 1'); raise errors.InputError('stop')", stdout=write)
    os.close(write)
    assert ended.stderr.startswith("-c: error: stop\n")
    assert "Traceback" not in ended.stderr
    assert ended.returncode != 0


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has such a file")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_can_write(unbuffered: str) -> None:
    script = "from mnist_vae import process; process.run(lambda: print('epoch 1'))"
    with open("/dev/full", "w") as full:
        ended = run_python(script, stdout=full, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert re.fullmatch("-c: error: .*the disk is full.*\n", ended.stderr)


# --- Its argument ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vae16", "a", "7", "my_model-2", "A" * 100])
def test_argument_takes_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", name])
    assert process.argument("MODEL") == name


@pytest.mark.parametrize(
    "name",
    ["", "../etc", "a/b", "a.b", "-h", "_a", " a", "a ", "a\n", "a b", "${x}", "ä", "a\0", "٣"],
)
def test_argument_refuses_what_is_no_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", name])
    with pytest.raises(InputError, match="must be letters, digits"):
        process.argument("MODEL")


@pytest.mark.parametrize("given", [[], ["a", "b"]])
def test_argument_is_exactly_one(monkeypatch: pytest.MonkeyPatch, given: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", *given])
    with pytest.raises(InputError, match=f"takes one argument, MODEL; found {len(given)}"):
        process.argument("MODEL")
