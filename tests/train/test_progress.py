"""What a person sees while a model trains: on a terminal and in a log."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest
from support.project import ROOT, environment

from mnist_vae.train import progress
from mnist_vae.train.loop import Epoch

EPOCHS = [Epoch(number, {"loss": loss}) for number, loss in ((1, 50.25), (2, 7.0), (3, 6.125))]


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def redirect(monkeypatch: pytest.MonkeyPatch, *, live: bool) -> io.StringIO:
    """A terminal or a file in the place of stderr."""
    stream = Terminal() if live else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.mark.parametrize("live", [True, False])
def test_epochs_pass_unchanged(monkeypatch: pytest.MonkeyPatch, live: bool) -> None:
    redirect(monkeypatch, live=live)
    assert list(progress.Progress("vae16", 3, 1000).follow(iter(EPOCHS))) == EPOCHS


def test_epochs_pass_one_at_a_time() -> None:
    started: list[int] = []

    def source() -> Iterator[Epoch]:
        for epoch in EPOCHS:
            started.append(epoch.number)
            yield epoch

    follower = progress.Progress("vae16", 3, 1000).follow(source())
    assert started == []
    next(follower)
    assert started == [1]


def test_a_log_gets_a_line_an_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = redirect(monkeypatch, live=False)
    list(progress.Progress("vae16", 3, 1000).follow(EPOCHS))
    lines = capsys.readouterr().out.splitlines()
    for line, epoch, loss in zip(lines, (1, 2, 3), ("50.250", "7.000", "6.125"), strict=True):
        shape = rf"vae16: epoch {epoch}/3, loss {loss}, [\d,]+ images/s, \d+ s left"
        assert re.fullmatch(shape, line)
    assert lines[-1].endswith(" 0 s left")
    assert log.getvalue() == ""


def frames(terminal: io.StringIO) -> list[str]:
    """What a terminal showed, one after the other."""
    return [frame.rstrip() for frame in re.split("[\r\n]+", terminal.getvalue()) if frame.strip()]


def train(shown: progress.Progress, steps: int = 200) -> Iterator[Epoch]:
    """Epochs that tell of each of their steps, as the loop does."""
    for epoch in EPOCHS:
        for step in range(steps):
            shown.tick(epoch.number, (step + 1) / steps)
        yield epoch


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = redirect(monkeypatch, live=True)
    list(progress.Progress("vae16", 3, 1000).follow(EPOCHS))
    assert capsys.readouterr().out == ""
    last = frames(terminal)[-1]
    shape = r"vae16, epoch 3/3: 100%\|[█#]+\| loss 6\.125, [\d,]+ images/s, 0 s left"
    assert re.fullmatch(shape, last)


def test_a_bar_moves_at_each_percent_of_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = redirect(monkeypatch, live=True)
    shown = progress.Progress("vae16", 3, 1000)
    assert list(shown.follow(train(shown))) == EPOCHS
    parts = [re.search(r"epoch (\d)/3: +(\d+)%", frame) for frame in frames(terminal)]
    epochs = [int(part[1]) for part in parts if part]
    assert epochs == sorted(epochs)
    for epoch in (1, 2, 3):
        assert 99 <= epochs.count(epoch) <= 102
    percents = [int(part[2]) for part in parts if part]
    assert percents == sorted(percents)
    # Each frame says what was so when it was shown: no loss before there is one.
    assert "loss" not in frames(terminal)[50]
    assert "loss 50.250" in frames(terminal)[150]
    assert "loss 6.125" in frames(terminal)[-1]


def test_a_log_gets_nothing_within_an_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = redirect(monkeypatch, live=False)
    shown = progress.Progress("vae16", 3, 1000)
    list(shown.follow(train(shown)))
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert log.getvalue() == ""


def last_frame(columns: int, images: int) -> str:
    """The end of an epoch of so many images in 10 ms on a terminal of so many columns."""
    script = (
        "import time; clock = iter([0.0, 0.01]); time.perf_counter = lambda: next(clock);"
        "from mnist_vae.train.loop import Epoch; from mnist_vae.train.progress import Progress;"
        f"list(Progress('vae16', 1, {images}).follow([Epoch(1, {{'loss': 7.0}})]))"
    )
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
    env = environment(ROOT) | {"COLUMNS": "", "LINES": ""}
    subprocess.run([sys.executable, "-c", script], stderr=its, env=env, check=True, timeout=60)
    os.close(its)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    return [frame for frame in re.split("[\r\n]+", shown) if frame.strip()][-1]


@pytest.mark.parametrize("columns", [0, 60, 132])
def test_a_bar_fits_the_terminal_and_is_there_if_that_does_not_tell_its_width(columns: int) -> None:
    """A terminal of 0 columns is one that says nothing, as some of containers and editors."""
    last = last_frame(columns, images=1000)
    assert len(last) == (columns or 80) - 1
    assert re.search(r"vae16, epoch 1/1: 100%.*loss 7.000, [\d,]+ images/s, 0 s", last)


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        (67, "loss 7.000, 1,000,000 images/s, 0 s left"),
        (66, "loss 7.000, 1,000,000 images/s, 0 s"),
        (62, "loss 7.000, 1,000,000 images/s, 0 s"),
        (61, "loss 7.000, 0 s left"),
        (47, "loss 7.000, 0 s left"),
        (46, "0 s left"),
        (35, "0 s left"),
    ],
)
def test_in_a_narrow_terminal_the_time_left_stays_longest(columns: int, texts: str) -> None:
    last = last_frame(columns, images=10_000)
    assert len(last) == columns - 1
    assert re.fullmatch(rf"vae16, epoch 1/1: 100%\|█+\| {texts}", last)


def test_a_terminal_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = redirect(monkeypatch, live=True)
    hours = itertools.count(1e9, -3600)
    monkeypatch.setattr("tqdm.std.time", lambda: next(hours))
    shown = progress.Progress("vae16", 3, 1000)
    list(shown.follow(train(shown, steps=4)))
    second = r"epoch 2/3: +\d+%.* loss 50.250, [\d,]+ images/s, 0 s left"
    assert re.search(second, terminal.getvalue())
    assert not re.search(r"-\d", terminal.getvalue())


def test_speed_and_time_left_of_a_training_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    redirect(monkeypatch, live=False)
    clock = iter([0.0, 10.0, 14.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    list(progress.Progress("vae16", 5, 10_000, done=1).follow(EPOCHS))
    assert capsys.readouterr().out.splitlines() == [
        "vae16: epoch 2/5, loss 7.000, 1,000 images/s, 30 s left",
        "vae16: epoch 3/5, loss 6.125, 2,500 images/s, 14 s left",
    ]
