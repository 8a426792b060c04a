"""How a stage's process starts and ends."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from mnist_vae.errors import InputError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
unfinished: set[Path] = set()
"""Temporary files, each named here before it is made until after it is gone."""


def start() -> None:
    """Set up this process for a stage, before it imports torch.

    For scripts alone: what is set holds for all that the process does.
    """
    # Threads that wait for each other spin for some microseconds, then sleep. GNU's OpenMP lets
    # them spin on, and a step took ten times as long as soon as another process wanted a core;
    # without any spinning it took three times as long on a free machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # Importing torch makes some hundred thousand objects, none of them garbage: looking for it
    # among them every 700 takes a tenth of the import. A stage leaves little later: it ends soon.
    gc.set_threshold(100_000)
    sys.excepthook = _end
    if "DVC_STAGE" in os.environ:  # by hand, a stage may outlive the shell that it is started from
        _end_with_dvc()


def _end_with_dvc() -> None:
    """Have this process told to end as soon as DVC has ended that runs it, killed or not.

    Left alone it would go on, and write what a next run takes for its own.
    """
    runners = _runners()
    threading.Thread(target=_watch, args=(runners,), daemon=True).start()
    # DVC may have ended before. Then another session's process is the parent now, or none is there.
    try:
        apart = os.getsid(runners[-1]) != os.getsid(0)
    except ProcessLookupError:
        apart = True
    if apart:
        os.kill(os.getpid(), signal.SIGTERM)


def _runners() -> list[int]:
    """What runs this process: its parent; and DVC behind that, if the parent is a shell of DVC's.

    Some shells become the command that they are given, others wait for it.
    """
    parent = os.getppid()
    try:
        words = Path(f"/proc/{parent}/cmdline").read_bytes().split(b"\0")
        state = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # gone by now; or no Linux, and the shells of macOS become the command
        return [parent]
    if b"-c" not in words[1:4]:
        return [parent]
    return [parent, int(state.rpartition(")")[2].split()[1])]


def _watch(runners: list[int]) -> None:
    while _runners() == runners:
        time.sleep(0.2)
    while True:  # for an exception can be lost, in a destructor
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Let Ctrl-C end a script in one line before it reaches ``run`` too, while it imports."""
    if issubclass(kind, KeyboardInterrupt):
        print(f"{os.path.basename(sys.argv[0])}: error: interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def tune_for_training() -> None:
    """Let this process, and the threads that it starts from now on, train at full speed.

    Tiny numbers count as zero: an optimizer's averages of a unit that no longer fires decay to
    below 1e-38, for which a processor takes a hundred times as long. And with GNU's C library freed
    memory is kept, where each step would give it back and fault it in again. Both hold for all that
    the process computes, and not every library is made for the first: for stages that train only.
    """
    import torch

    torch.set_flush_denormal(True)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)
        libc.mallopt(M_TRIM_THRESHOLD, 2**30)


def argument(what: str) -> str:
    """The one argument that a script takes, a name usable in paths; raises InputError."""
    given = sys.argv[1:]
    if len(given) != 1:
        raise InputError(f"takes one argument, {what}; found {len(given)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", given[0]):
        raise InputError(f"{what}: found {given[0]!r}, must be letters, digits, _ and -")
    return given[0]


def run(main: Callable[[], None]) -> NoReturn:
    """Call ``main`` and exit: 0 when it returns, else one line on stderr and a non-zero code.

    A user's mistake, a full disk, a device out of memory and Ctrl-C end without a traceback;
    anything else is a defect of the program and keeps its traceback.
    """
    script = os.path.basename(sys.argv[0])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    # What imports made is no garbage. Python would look for some in all of torch whenever it looks:
    # for 0.1 s at each capture of a CUDA graph.
    gc.freeze()
    try:
        main()
        sys.stdout.flush()
        line, code = "", 0
    except InputError as error:
        line, code = str(error), 1
    except KeyboardInterrupt:
        line, code = "interrupted; nothing half-written is left, run it again to go on", 130
    except OSError as error:
        line, code = _describe(error), 1
    except MemoryError as error:
        line, code = (
            f"out of memory: {str(error) or 'this stage needs more than there is'}{_LESS}",
            1,
        )
    except RuntimeError as error:
        # Known by name and text, because this module must not import torch.
        full = re.search("(out of|can't allocate) memory", str(error))
        if type(error).__name__ != "OutOfMemoryError" and not full:
            raise
        line, code = f"the device is out of memory: {str(error).splitlines()[0]}{_LESS}", 1
    for number in (signal.SIGINT, signal.SIGTERM):  # too late: a second Ctrl-C ends nothing sooner
        signal.signal(number, signal.SIG_IGN)
    remove_unfinished()
    gc.freeze()  # what main imported too: Python looks once more before it ends
    if not line:
        sys.exit(code)
    try:
        sys.stdout.flush()
    except OSError:  # a closed pipe or a full disk, which would have another word at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(f"{script}: error: {' '.join(line.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


def remove_unfinished() -> None:
    """Remove temporary files that are left where Ctrl-C came while they were made or removed."""
    for path in tuple(unfinished):
        with contextlib.suppress(OSError):
            path.unlink()


_LESS = "; when training, a smaller batch_size needs less"


def _describe(error: OSError) -> str:
    path = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path}: not written, the disk is full; free some space, run it again"
    if error.errno == errno.EFBIG:
        return f"{path}: larger than the file-size limit of this shell (ulimit -f)"
    return f"{path}: {error.strerror or error}"
