"""The choice of a device by the environment, beside the machine's own."""

from __future__ import annotations

import pytest
import torch

from mnist_vae.errors import InputError
from mnist_vae.nets import devices


@pytest.fixture
def only_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose accelerators, if any, are out of sight."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("wanted", [None, ""])
def test_the_best_there_is(monkeypatch: pytest.MonkeyPatch, wanted: str | None) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    if wanted is not None:
        monkeypatch.setenv(devices.VARIABLE, wanted)
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    best = [name for name, available in there.items() if available] or ["cpu"]
    assert devices.pick().type == best[0]


@pytest.mark.usefixtures("only_cpu")
@pytest.mark.parametrize("wanted", [None, "", "cpu", "cpu:0"])
def test_the_cpu_is_always_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: str | None
) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    if wanted is not None:
        monkeypatch.setenv(devices.VARIABLE, wanted)
    picked = devices.pick()
    assert picked.type == "cpu"
    assert capsys.readouterr().out == f"device: {devices.describe(picked)}\n"


@pytest.mark.usefixtures("only_cpu")
@pytest.mark.parametrize("wanted", ["nonsense", "cuda", "cuda:0", "mps", "CPU", "gpu", " cpu"])
def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(devices.VARIABLE, wanted)
    with pytest.raises(InputError, match=r"found '.*', this machine has cpu$") as error:
        devices.pick()
    assert str(error.value).startswith(f"MNIST_VAE_DEVICE: found {wanted!r}")


@pytest.mark.parametrize("wanted", ["cpu:", "cpu:x", "cpu:-1", "cpu:0:0"])
def test_an_index_that_is_none(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv(devices.VARIABLE, wanted)
    with pytest.raises(InputError, match=r"no device 'cpu:.*' on this machine"):
        devices.pick()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_cuda_device_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VARIABLE, "cuda:0")
    assert devices.pick() == torch.device("cuda:0")
    monkeypatch.setenv(devices.VARIABLE, f"cuda:{torch.cuda.device_count()}")
    with pytest.raises(InputError, match="no device 'cuda:"):
        devices.pick()


def test_the_cpu_by_name() -> None:
    found = devices.describe(torch.device("cpu"))
    assert found.startswith("CPU (")
    threads = torch.get_num_threads()
    assert found.endswith(", 1 thread)" if threads == 1 else f", {threads} threads)")


def test_bfloat16_is_a_yes_or_a_no() -> None:
    assert devices.has_bfloat16(torch.device("cpu")) in (True, False)
    assert devices.has_bfloat16(torch.device("mps")) is False
