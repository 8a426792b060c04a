"""What a machine can do, what other processes took of it meanwhile, and how measurements vary."""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from mnist_vae.nets import devices

BUSY = 0.2
"""Cores that other processes may use before a measurement counts as disturbed."""
NOISE = 0.1
"""Seconds of a processor that the kernel's count, in ticks of 10 ms, may be wrong by."""


class Used(NamedTuple):
    """Seconds since some start."""

    wall: float
    own: float
    """Of all cores, by this process and those that it started and that have ended."""
    all: float
    """Of all cores, by whatever runs on them, other guests of the host included."""


def used() -> Used | None:
    """What was used so far, or None where the kernel does not say: not on Linux."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    # Time that interrupts took is no process's.
    user, nice, system, _, _, _, _, steal = map(int, stat.read_text().split(maxsplit=9)[1:9])
    ticks = user + nice + system + steal
    return Used(time.perf_counter(), sum(os.times()[:4]), ticks / os.sysconf("SC_CLK_TCK"))


def other_cores(before: Used, after: Used) -> float:
    """How many cores others used in between."""
    seconds = (after.all - before.all) - (after.own - before.own)
    return max(0.0, seconds - NOISE) / (after.wall - before.wall)


class Watch:
    """Tells stderr of the machine's load, and keeps for each row of a table who else was busy."""

    def __init__(self) -> None:
        self._others: dict[str, list[float]] = {}

    @contextmanager
    def measuring(self, row: str) -> Iterator[None]:
        """Watch what happens in the block, which waits for the processes that it starts."""
        print(f"{row}: load {os.getloadavg()[0]:.2f}", file=sys.stderr, flush=True)
        before = used()
        yield
        after = used()
        if before is None or after is None:
            return
        cores = other_cores(before, after)
        self._others.setdefault(row, []).append(cores)
        if cores > BUSY:
            line = f"{row}: busy: other processes used {cores:.2f} cores meanwhile"
            print(line, file=sys.stderr, flush=True)

    def marks(self, row: str) -> dict[str, bool | float]:
        """Whether any measurement of a row was disturbed, and by how much; nothing if unknown."""
        most = max(self._others.get(row, ()), default=None)
        return {} if most is None else {"busy": most > BUSY, "other_cores": most}


def timed(call: Callable[[], object], repeat: int = 5) -> list[float]:
    """Seconds of each of ``repeat`` calls, after one that warms up."""
    call()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(values: Sequence[float]) -> dict[str, float]:
    """Mean and standard deviation."""
    return {
        "mean": statistics.fmean(values),
        "sd": statistics.stdev(values) if len(values) > 1 else 0.0,
        "runs": len(values),
    }


def floors(device: torch.device, side: int) -> dict[str, float]:
    """How fast a device multiplies matrices [side, side] and copies memory, to measure against."""

    def best(call: Callable[[], object]) -> float:
        def wait() -> None:
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()

        return min(timed(wait))

    speeds = {}
    for dtype in (torch.float32, *((torch.bfloat16,) if devices.has_bfloat16(device) else ())):
        a = torch.randn(side, side, dtype=dtype, device=device)
        name = str(dtype).removeprefix("torch.")
        speeds[f"gflops_{name}"] = 2 * side**3 / best(functools.partial(torch.mm, a, a)) / 1e9
    source = torch.zeros(16 * side**2, device=device)
    target = torch.empty_like(source)
    seconds = best(lambda: target.copy_(source))
    speeds["copy_gb_per_second"] = 2 * source.nbytes / seconds / 1e9
    return speeds
