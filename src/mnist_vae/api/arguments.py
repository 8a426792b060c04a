"""Numbers, names and devices as a caller gives them, checked."""

from __future__ import annotations

import operator
import reprlib

import torch


def whole(name: str, given: object, *, least: int) -> int:
    """A whole number of Python's or NumPy's.

    Raises TypeError for what is none, a bool and 3.0 too, ValueError for less than ``least``.
    """
    try:
        number = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(given, bool):
        raise TypeError(f"{name} is {_show(given)}, must be a whole number")
    if number < least:
        raise ValueError(f"{name} is {number}, must be at least {least}")
    return number


def text(name: str, given: object) -> str | None:
    """A name, or None; raises TypeError for anything else."""
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{name} is {_show(given)}, must be text")
    return given


def device(given: object) -> torch.device:
    """A device that this machine has and computes on.

    Raises TypeError for what names none, ValueError for one that is not there.
    """
    if not isinstance(given, str | torch.device):
        raise TypeError(f"device is {_show(given)}, must be the name of one, as 'cpu'")
    try:
        found = torch.device(given)
        torch.zeros(1, device=found).cpu()
    except torch.OutOfMemoryError:
        raise  # it is there, but others have all its memory
    except (RuntimeError, AssertionError, ImportError):  # of a torch without it, or of no driver
        there = [f"cuda:{card}" for card in range(torch.cuda.device_count())]
        there += ["mps"] if torch.backends.mps.is_available() else []
        known = ", ".join([*there, "cpu"])
        raise ValueError(f"device is {_show(given)}, this machine has {known}") from None
    return found


def _show(given: object) -> str:
    """It as Python writes it, on one short line."""
    return " ".join(reprlib.repr(given).split())
