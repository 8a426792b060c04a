"""What a person sees while a model trains: on a terminal and in a log."""

from __future__ import annotations

import io
import itertools
import re
import sys
import time
from collections.abc import Iterator

import pytest

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
    assert list(progress.follow(iter(EPOCHS), 3, 1000, "vae16")) == EPOCHS


def test_epochs_pass_one_at_a_time() -> None:
    started: list[int] = []

    def source() -> Iterator[Epoch]:
        for epoch in EPOCHS:
            started.append(epoch.number)
            yield epoch

    follower = progress.follow(source(), 3, 1000, "vae16")
    assert started == []
    next(follower)
    assert started == [1]


def test_a_log_gets_a_line_an_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = redirect(monkeypatch, live=False)
    list(progress.follow(EPOCHS, 3, 1000, "vae16"))
    lines = capsys.readouterr().out.splitlines()
    for line, epoch, loss in zip(lines, (1, 2, 3), ("50.250", "7.000", "6.125"), strict=True):
        shape = rf"vae16: epoch {epoch}/3, loss {loss}, [\d,]+ images/s, \d+ s left"
        assert re.fullmatch(shape, line)
    assert lines[-1].endswith(" 0 s left")
    assert log.getvalue() == ""


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = redirect(monkeypatch, live=True)
    list(progress.follow(EPOCHS, 3, 1000, "vae16"))
    assert capsys.readouterr().out == ""
    last = terminal.getvalue().split("\r")[-1]
    assert "vae16: 100%" in last
    assert "3/3" in last
    assert "loss 6.125" in last


def test_a_terminal_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = redirect(monkeypatch, live=True)
    hours = itertools.count(1e9, -3600)
    monkeypatch.setattr("tqdm.std.time", lambda: next(hours))
    list(progress.follow(EPOCHS, 3, 1000, "vae16"))
    assert re.search(r"2/3, loss 7.000, [\d,]+ images/s, 0 s left", terminal.getvalue())
    assert not re.search(r"-\d", terminal.getvalue())


def test_speed_and_time_left_of_a_training_that_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    redirect(monkeypatch, live=False)
    clock = iter([0.0, 0.0, 10.0, 14.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    list(progress.follow(EPOCHS, 5, 10_000, "vae16", done=1))
    assert capsys.readouterr().out.splitlines() == [
        "vae16: epoch 2/5, loss 7.000, 1,000 images/s, 30 s left",
        "vae16: epoch 3/5, loss 6.125, 2,500 images/s, 14 s left",
    ]
