"""What a person sees while a model trains."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from mnist_vae.train.loop import Epoch

# Without tqdm's own times: they follow the wall clock, which may be set back meanwhile.
SHAPE = "{desc}: {percentage:3.0f}%|{bar}| {unit}"


class Progress:
    """Shows epochs, loss, images a second and the time left of a training of ``total`` epochs.

    A bar on a terminal, which moves at each percent of an epoch; where that is narrow, the speed
    goes first, then the loss. Elsewhere (CI, a log file) a line an epoch. The first ``done`` epochs
    were trained by an earlier run and pass in silence.
    """

    def __init__(self, name: str, total: int, images: int, done: int = 0) -> None:
        self._name, self._total, self._images, self._done = name, total, images, done
        self._live = sys.stderr.isatty()
        self._start = self._last = time.perf_counter()
        self._loss = ""
        self._columns = _width() - 1  # in the last column some terminals begin a new line
        self._bar = tqdm(
            total=100 * total,
            initial=100 * done,
            disable=not self._live,
            bar_format=SHAPE,
            unit="",
            ncols=self._columns,
        )
        self._bar.set_description_str(f"{name}, epoch {done + 1}/{total}", refresh=False)

    def tick(self, epoch: int, part: float) -> None:
        """Show that ``part`` of an epoch is done, from 0 to 1."""
        percent = int(100 * part)
        if self._live and percent > self._bar.n - 100 * (epoch - 1):
            self._show(epoch, percent, time.perf_counter())

    def follow(self, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
        """Pass epochs on, and show each as it ends."""
        with self._bar:
            for epoch in epochs:
                if epoch.number > self._done:
                    now = time.perf_counter()
                    self._loss = f"loss {epoch.means['loss']:.3f}, "
                    if self._live:
                        self._show(epoch.number, 100, now)
                    else:
                        speed, left = self._speed_and_left(epoch.number, 100, now)
                        where = f"{self._name}: epoch {epoch.number}/{self._total}"
                        print(f"{where}, {self._loss}{speed}, {left} left", flush=True)
                    self._last = now
                yield epoch

    def _show(self, epoch: int, percent: int, now: float) -> None:
        speed, left = self._speed_and_left(epoch, percent, now)
        self._bar.n = 100 * (epoch - 1) + percent
        name = f"{self._name}, epoch {epoch}/{self._total}"
        long, short = f"{left} left", f"{self._loss}{speed}, {left}"
        texts = (f"{short} left", short, f"{self._loss}{long}", long)
        room = self._columns - len(f"{name}: 100%|#| ")
        self._bar.unit = next((text for text in texts if len(text) <= room), long)
        self._bar.set_description_str(name)  # and draws it all

    def _speed_and_left(self, epoch: int, percent: int, now: float) -> tuple[str, str]:
        part = percent / 100
        speed = part * self._images / (now - self._last)
        trained = epoch - 1 + part - self._done
        left = (now - self._start) / trained * (self._total - self._done - trained)
        return f"{speed:,.0f} images/s", f"{left:.0f} s"


def _width() -> int:
    """Columns of the terminal; 80 where it does not say, for tqdm would then show nothing."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
