"""All trials of a grid on the workers that there are, and how far they are."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from mnist_vae.errors import InputError
from mnist_vae.study import trial as trials
from mnist_vae.study.grid import Trial
from mnist_vae.study.trial import Result, Study

SCHEDULER = "MNIST_VAE_SCHEDULER"
"""Address of a Dask scheduler; without one, processes of this machine. No tracked parameter: where
a study runs does not change what comes out."""
WORKERS = "MNIST_VAE_WORKERS"
"""Number of processes on this machine; as many as cores if unset."""
TASK = 4
"""Trials that a worker takes at once, at most."""
DEATHS = 3
"""Deaths of workers after which a study gives up, if no trial was finished between them."""
PATIENCE = 60
"""Seconds to wait for a scheduler and its first worker."""


def run_all(wanted: Sequence[Trial], study: Study, name: str) -> list[Result]:
    """The results of all trials, in their order.

    Each is kept as soon as it is there, so a study that was killed goes on where it was. A worker
    that dies, for lack of memory say, is replaced; its trial is begun anew. Raises InputError as
    ``trial.run`` does, and where no worker can be had or they die one after the other.
    """
    results: dict[Trial, Result] = {}
    with _workers() as count, _Progress(name, len(wanted)) as progress:
        # Several a task, and yet enough tasks for the last ones to end about together.
        batch = max(1, min(TASK, len(wanted) // (4 * count)))
        deaths = 0
        while missing := [trial for trial in wanted if trial not in results]:
            parallel = joblib.Parallel(batch_size=batch, return_as="generator_unordered")
            try:
                for result in parallel(joblib.delayed(trials.run)(each, study) for each in missing):
                    results[result.trial] = result
                    progress.add(result)
                    deaths = deaths if result.found else 0
            except TerminatedWorkerError:
                deaths += 1
                if deaths == DEATHS:
                    raise InputError(f"study {name}: {_DYING}") from None
                progress.say("a worker died; another begins anew what it was at")
    return [results[trial] for trial in wanted]


_DYING = (
    f"{DEATHS} workers died without finishing a training: is there memory for all? "
    f"A smaller {WORKERS} needs less"
)


@contextlib.contextmanager
def _workers() -> Iterator[int]:
    """Let joblib use the workers that the environment names; yields how many there are."""
    address = os.environ.get(SCHEDULER)
    if address:
        with _dask(address) as count:
            yield count
        return
    given = os.environ.get(WORKERS) or str(joblib.cpu_count())
    if not re.fullmatch("[1-9][0-9]{0,3}", given):
        raise InputError(f"{WORKERS}: found {given!r}, must be a whole number from 1 to 9999")
    with joblib.parallel_config("loky", n_jobs=int(given), inner_max_num_threads=1):
        yield int(given)


@contextlib.contextmanager
def _dask(address: str) -> Iterator[int]:
    """Let joblib use the workers of a Dask cluster; each has to compute on one thread."""
    try:
        import distributed
    except ImportError:
        raise InputError(
            f"{SCHEDULER} is set, and the package distributed is not installed: "
            "it is the extra dask, which `make` installs too"
        ) from None
    try:
        client: Any = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:  # ValueError: no address
        raise InputError(f"{SCHEDULER}: no scheduler at {address!r}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"{SCHEDULER}: the scheduler at {address} has no workers: "
                f"start some with `dask worker {address} --nthreads 1`"
            ) from None
        with joblib.parallel_config("dask", n_jobs=-1):
            try:
                yield sum(client.ncores().values())
            except distributed.KilledWorker:
                raise InputError(f"{SCHEDULER}: {_DYING.split(':')[0]}: see their logs") from None


class _Progress:
    """How many trials are done, and when the last will be.

    A bar on a terminal; elsewhere a line for each trial that was run.
    """

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.done, self.run = name, total, 0, 0
        self.start = time.perf_counter()
        shape = "{desc}: {bar} {n_fmt}/{total_fmt}{postfix}"
        live = sys.stderr.isatty()
        self.bar = tqdm(total=total, desc=f"study {name}", disable=not live, bar_format=shape)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()
        if self.done > self.run:
            self.say(f"{self.done - self.run} of {self.done} results were there already")

    def add(self, result: Result) -> None:
        """Count one more."""
        self.done += 1
        self.run += not result.found
        if self.run:
            seconds = (time.perf_counter() - self.start) / self.run * (self.total - self.done)
            self.bar.set_postfix_str(f"{_minutes(seconds)} left")
            if self.bar.disable and not result.found:
                self.say(f"{self.done}/{self.total}, {result.trial.name}, {_minutes(seconds)} left")
        self.bar.update(1)

    def say(self, line: str) -> None:
        """Print a line beside the bar."""
        tqdm.write(f"study {self.name}: {line}", file=sys.stdout)
        sys.stdout.flush()


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
