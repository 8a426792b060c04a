"""Files that one process holds, whatever ends it."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_vae.errors import InputError
from mnist_vae.files import lock, store

HOLDING = """
import sys, time
from pathlib import Path
from mnist_vae.files import lock

with {holding}:
    print("held", flush=True)
    time.sleep(60)
"""

INTERRUPTED = '''
import itertools, sys
from pathlib import Path
from mnist_vae import process
from mnist_vae.files import store


def interrupt_at(step):
    steps = itertools.count()

    def trace(frame, event, argument):
        frame.f_trace_opcodes = True
        if next(steps) == step:
            raise KeyboardInterrupt
        return trace

    return trace


def write(step):
    """Write the file, interrupted at an instruction; False if that came."""
    try:
        sys.settrace(interrupt_at(step))  # traces what is called from here on
        store.write_bytes(path, b"new")
    except KeyboardInterrupt:
        return False
    finally:
        sys.settrace(None)
    return True


path = Path(sys.argv[1])
write(-1)  # compiles patterns, once
left = []
for step in itertools.count():
    whole = write(step)
    left.append(len({*path.parent.iterdir()} - {path}))
    process.remove_unfinished()
    assert [*path.parent.iterdir()] == [path], step
    assert path.read_bytes() == b"new"
    if whole:
        break
print(step, sum(left))
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a lock lies."""
    return tmp_path / "checkpoints" / ".vae16.lock"


def holder(path: Path, holding: str) -> subprocess.Popen[str]:
    """Another process that holds a file, and has it by now."""
    path.parent.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING.format(holding=holding), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(lock.__file__).parents[2])},
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no process."""
    monkeypatch.setattr(lock, "PATIENCE", 0)


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock at ``path``."""
    with holder(path, "lock.held(Path(sys.argv[1]), 'training vae16')") as process:
        yield process
        process.kill()


# --- One process at a time ------------------------------------------------------------------------


def test_a_lock_says_who_holds_it_and_is_gone_at_the_end(path: Path) -> None:
    with lock.held(path, "training vae16"):
        assert re.fullmatch(rf"process {os.getpid()} on .*\n", path.read_text())
    assert list(path.parent.iterdir()) == []


@pytest.mark.usefixtures("no_patience")
def test_what_another_process_does_is_refused_and_named(
    path: Path, other: subprocess.Popen[str]
) -> None:
    line = rf"training vae16: process {other.pid} on .* is at it; .* \({re.escape(str(path))}\)"
    with pytest.raises(InputError, match=f"^{line}$"), lock.held(path, "training vae16"):
        pass
    assert path.exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_death_frees_what_a_process_held(
    path: Path, other: subprocess.Popen[str], number: signal.Signals
) -> None:
    threading.Timer(0.2, other.send_signal, [number]).start()
    with lock.held(path, "training vae16"):
        assert str(os.getpid()) in path.read_text()
    assert list(path.parent.iterdir()) == []


def test_many_at_once_have_it_one_after_the_other(path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with lock.held(path, "work"):
            inside += 1
            most = max(most, inside)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, inside) == (1, 0)


@pytest.mark.usefixtures("no_patience")
def test_a_failure_frees_it(path: Path) -> None:
    with pytest.raises(RuntimeError), lock.held(path, "training vae16"):
        raise RuntimeError
    with lock.held(path, "training vae16"):
        pass


@pytest.mark.usefixtures("no_patience")
def test_a_file_system_without_locks_stops_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock.held(path, "training vae16"), lock.held(path, "training vae16"):
        pass
    left = path.with_name(f".{path.name}.0.part")
    left.touch()
    with lock.temporary(path):
        assert left.exists()  # nobody knows whether its process lives


def test_a_folder_that_is_a_link_or_cannot_be_made(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path.parent.symlink_to(tmp_path / "elsewhere")
    with lock.held(path, "training vae16"):
        assert (tmp_path / "elsewhere" / path.name).exists()
    (tmp_path / "elsewhere").rmdir()
    with pytest.raises(FileExistsError) as error, lock.held(path, "training vae16"):
        pass
    assert error.value.filename == str(path.parent)


# --- Temporary files ------------------------------------------------------------------------------


def test_two_who_write_the_same_file_do_not_meet(path: Path) -> None:
    with store.replacing(path) as one, store.replacing(path) as two:
        assert one != two
        one.write_bytes(b"one")
        two.write_bytes(b"two")
    assert path.read_bytes() == b"one"  # which ended last
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_only_what_dead_processes_left_is_swept_up(path: Path) -> None:
    target = path.with_name("vae16.json")
    with holder(target, "lock.temporary(Path(sys.argv[1]))") as living:
        (held,) = target.parent.iterdir()
        strays = [f".{target.name}.1.part", ".vae2.json.1.part", ".vae16.json5.1.part"]
        for name in strays:
            (target.parent / name).touch()
        store.write_bytes(target, b"new")
        there = {file.name for file in target.parent.iterdir()}
        assert there == {target.name, held.name, *strays[1:]}
        living.kill()
    store.write_bytes(target, b"newer")
    assert not held.exists()


def test_ctrl_c_between_any_two_instructions_leaves_nothing(path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(lock.__file__).parents[2])},
        check=False,
    )
    assert ended.stderr == ""
    instructions, left = map(int, ended.stdout.split())
    assert instructions > 100
    assert left > 0  # there was something to remove


def test_a_link_at_a_temporary_name_is_not_followed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    victim = path.with_name("victim")
    victim.write_bytes(b"mine")
    old = path.with_name(f".{path.name}.part")  # a name that anybody could guess
    old.symlink_to(victim)
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    guessed = path.with_name(f".{path.name}.guessed.part")
    guessed.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link") as error:
        store.write_bytes(path, b"new")
    assert error.value.errno == errno.ELOOP
    guessed.unlink()
    store.write_bytes(path, b"new")
    assert (path.read_bytes(), victim.read_bytes()) == (b"new", b"mine")


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_of_any_new_file(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        store.write_bytes(path, b"new")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
