"""How scripts end: each case in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_vae import process
from mnist_vae.errors import InputError

LESS = "; when training, a smaller batch_size needs less"


def run_script(
    body: str, stdout: Any = subprocess.DEVNULL, stderr: Any = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a script, with what it prints buffered, whose ``main`` is ``body``."""
    script = "import errno\nfrom mnist_vae import errors\n"
    script += f"def main():\n    {body}\nerrors.run(main)\n"
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, stdout=stdout, stderr=stderr, env=env, cwd="/", text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("raise errors.InputError('seed: found -1')", 1, "seed: found -1"),
        ("raise errors.InputError('two\\n  lines')", 1, "two lines"),
        (
            "raise KeyboardInterrupt",
            130,
            "interrupted; nothing half-written is left, run it again to go on",
        ),
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
        (
            "bytearray(2**62)",
            1,
            "out of memory: this stage needs more than there is" + LESS,
        ),
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
    ended = run_script(body)
    assert ended.stderr == f"-c: error: {line}\n"
    assert ended.returncode == code


@pytest.mark.parametrize(
    ("body", "last"),
    [
        ("raise RuntimeError('shapes do not match')", "RuntimeError: shapes do not match"),
        ("raise ValueError('bug')", "ValueError: bug"),
        ("{}['key']", "KeyError: 'key'"),
    ],
)
def test_a_defect_keeps_its_traceback(body: str, last: str) -> None:
    ended = run_script(body)
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.splitlines()[-1] == last
    assert ended.returncode == 1


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("pass", 0, ""),
        (
            "raise KeyboardInterrupt",
            130,
            "-c: error: interrupted; nothing half-written is left, run it again to go on\n",
        ),
    ],
)
def test_ctrl_c_comes_too_late_for_a_script_that_is_ending(end: str, code: int, said: str) -> None:
    late = "import atexit, os, signal; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    ended = run_script(f"{late}; {end}")
    assert (ended.returncode, ended.stderr) == (code, said)


@pytest.mark.parametrize(
    ("body", "code", "shape"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, r"-c: error: interrupted\n"),
        ("{}['key']", 1, r"Traceback(.*\n)+KeyError: 'key'\n"),
    ],
)
def test_ctrl_c_while_a_script_imports_ends_in_one_line(body: str, code: int, shape: str) -> None:
    script = f"import os, signal, mnist_vae; {body}"
    ended = subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert ended.returncode == code
    assert re.fullmatch(shape, ended.stderr)


def test_success_is_silent() -> None:
    ended = run_script("pass", stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_what_was_printed_comes_before_the_error(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w+") as log:
        body = "print('epoch 1'); raise errors.InputError('stop')"
        ended = run_script(body, stdout=log, stderr=log)
        log.seek(0)
        assert log.read() == "epoch 1\n-c: error: stop\n"
    assert ended.returncode == 1


def test_a_closed_pipe_does_not_hide_the_error() -> None:
    read, write = os.pipe()
    os.close(read)
    ended = run_script("print('epoch 1'); raise errors.InputError('stop')", stdout=write)
    os.close(write)
    assert ended.stderr.startswith("-c: error: stop\n")
    assert "Traceback" not in ended.stderr
    assert ended.returncode != 0


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
