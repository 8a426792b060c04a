"""What the tests share: how many examples hypothesis tries, images, a project that has run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from support.host import MODEL, OTHER, Host, Record, run_all
from support.project import smallest

# Small tensors gain nothing from threads, and processes that share cores lose much by them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Under `make test` a test's own make would take itself for a part of it, and take its flags.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

# A shell starts background jobs deaf to Ctrl-C, and what they start inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# HYPOTHESIS_PROFILE=fuzz looks long and anew; a plain run tries the same examples every time.
settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name archives by their size: their bytes hold the time, and names must stay the same."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file that takes longest, so that no core is left idle at the end."""
    items.sort(key=lambda item: item.path.name != "test_repro.py")


def make_blobs(count: int, seed: int) -> np.ndarray:
    """Images, uint8 [count, 1, 28, 28], of one round bright blob each, here and there."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(8, 20, (2, count, 1, 1))
    width = rng.uniform(2, 4, (count, 1, 1))
    y, x = np.mgrid[:28, :28]
    pixels = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))
    return np.rint(255 * pixels).astype(np.uint8)[:, None]


@pytest.fixture(scope="session")
def blobs() -> np.ndarray:
    """256 images, uint8 [256, 1, 28, 28], that a small network can learn in seconds."""
    images = make_blobs(256, seed=0)
    images.setflags(write=False)
    return images


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A process that runs stages quickly."""
    host = Host(tmp_path_factory.mktemp("logs"))
    with host.process:  # ends with its stdin
        yield host


@pytest.fixture(scope="session")
def finished(
    host: Host, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[tuple[str, str], Record]]:
    """A project of two small models, run to the end on real images, and what its stages did.

    Whoever changes its files puts them back.
    """
    project = smallest(tmp_path_factory.mktemp("project"), (MODEL, OTHER))
    return project, run_all(host, project, tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="session")
def project(finished: tuple[Path, object]) -> Path:
    """The folder of the project that has run to the end."""
    return finished[0]
