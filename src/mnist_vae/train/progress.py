"""What a person sees while a model trains."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from mnist_vae.train.loop import Epoch


def follow(
    epochs: Iterable[Epoch], total: int, images: int, name: str, done: int = 0
) -> Iterator[Epoch]:
    """Pass epochs on, showing loss, images a second and the time left.

    The first ``done`` epochs were trained by an earlier run and are passed on in silence.

    A bar on a terminal; elsewhere (CI, a log file) a line an epoch.
    """
    live = sys.stderr.isatty()
    start = last = time.perf_counter()
    # Without tqdm's own times: they follow the wall clock, which may be set back meanwhile.
    shape = "{l_bar}{bar}| {n_fmt}/{total_fmt}{postfix}"
    with tqdm(total=total, initial=done, desc=name, disable=not live, bar_format=shape) as bar:
        for epoch in epochs:
            now = time.perf_counter()
            if epoch.number <= done:
                yield epoch
                continue
            speed = images / (now - last)
            left = (now - start) / (epoch.number - done) * (total - epoch.number)
            status = f"loss {epoch.means['loss']:.3f}, {speed:,.0f} images/s, {left:.0f} s left"
            if live:
                bar.update(epoch.number - bar.n)
                bar.set_postfix_str(status)
            else:
                print(f"{name}: epoch {epoch.number}/{total}, {status}", flush=True)
            last = now
            yield epoch
