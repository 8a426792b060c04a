"""What a person sees while a model trains."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from mnist_vae.training import Epoch


def follow(
    epochs: Iterable[Epoch], total: int, images: int, name: str, done: int = 0
) -> Iterator[Epoch]:
    """Pass epochs on, showing loss, images a second and the time left.

    The first ``done`` epochs were trained by an earlier run and are passed on in silence.

    A bar on a terminal; elsewhere (CI, a log file) a line an epoch.
    """
    live = sys.stderr.isatty()
    start = last = time.perf_counter()
    with tqdm(total=total, initial=done, desc=name, unit="epoch", disable=not live) as bar:
        for epoch in epochs:
            now = time.perf_counter()
            if epoch.epoch <= done:
                yield epoch
                continue
            speed = images / (now - last)
            if live:
                bar.update(epoch.epoch - bar.n)
                bar.set_postfix_str(f"loss {epoch.loss:.3f}, {speed:,.0f} images/s")
            else:
                left = (now - start) / (epoch.epoch - done) * (total - epoch.epoch)
                print(
                    f"{name}: epoch {epoch.epoch}/{total}, loss {epoch.loss:.3f}, "
                    f"{speed:,.0f} images/s, {left:.0f} s left",
                    flush=True,
                )
            last = now
            yield epoch
