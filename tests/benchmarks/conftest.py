from __future__ import annotations

import pytest

from mnist_vae import process


@pytest.fixture(autouse=True)
def untuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks run in the process of the tests, which computes with subnormal numbers too."""
    monkeypatch.setattr(process, "tune_for_training", lambda: None)
