"""How a stage's process starts and ends."""

from __future__ import annotations

import errno
import gc
import os
import re
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from mnist_vae.errors import InputError


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
    gc.freeze()  # or Python looks for garbage in all of torch before it ends, for 0.4 s
    if not line:
        sys.exit(code)
    try:
        sys.stdout.flush()
    except OSError:  # a closed pipe or a full disk, which would have another word at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(f"{script}: error: {' '.join(line.split())}", file=sys.stderr, flush=True)
    sys.exit(code)


_LESS = "; when training, a smaller batch_size needs less"


def _describe(error: OSError) -> str:
    where = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}: not written, the disk is full; free some space, run it again"
    if error.errno == errno.EFBIG:
        return f"{where}: larger than the file-size limit of this shell (ulimit -f)"
    return f"{where}: {error.strerror or error}"
