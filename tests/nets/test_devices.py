"""The choice of a device by the environment, beside the machine's own."""

from __future__ import annotations

import json

import pytest
import torch

from mnist_vae.errors import InputError
from mnist_vae.nets import devices


@pytest.fixture
def only_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose accelerators, if any, are out of sight."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def want(monkeypatch: pytest.MonkeyPatch, wanted: str | None) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    if wanted is not None:
        monkeypatch.setenv(devices.VARIABLE, wanted)


@pytest.mark.parametrize(
    ("there", "best"),
    [([], "cpu"), (["mps"], "mps"), (["cuda"], "cuda"), (["cuda", "mps"], "cuda")],
)
def test_the_best_there_is(monkeypatch: pytest.MonkeyPatch, there: list[str], best: str) -> None:
    want(monkeypatch, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    monkeypatch.setattr(torch.cuda, "get_device_name", str)
    monkeypatch.setattr(torch, "zeros", lambda *size, device: None)  # as if it were there
    for flag in ("deterministic", "allow_tf32"):  # put back in the end
        monkeypatch.setattr(torch.backends.cudnn, flag, getattr(torch.backends.cudnn, flag))
    assert devices.pick().type == best
    if best == "cuda":
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.allow_tf32


@pytest.mark.usefixtures("only_cpu")
@pytest.mark.parametrize("wanted", [None, "", "cpu", "cpu:0"])
def test_the_cpu_is_always_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: str | None
) -> None:
    want(monkeypatch, wanted)
    picked = devices.pick()
    assert picked.type == "cpu"
    assert capsys.readouterr().out == f"device: {devices.describe(picked)}\n"


@pytest.mark.usefixtures("only_cpu")
@pytest.mark.parametrize("wanted", ["nonsense", "cuda", "cuda:0", "mps", "CPU", "gpu", " cpu"])
def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    want(monkeypatch, wanted)
    with pytest.raises(InputError, match=r"found '.*', this machine has cpu$") as error:
        devices.pick()
    assert str(error.value).startswith(f"MNIST_VAE_DEVICE: found {wanted!r}")


@pytest.mark.parametrize("wanted", ["cpu:", "cpu:x", "cpu:-1", "cpu:0:0"])
def test_an_index_that_is_none(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    want(monkeypatch, wanted)
    with pytest.raises(InputError, match=r"no device 'cpu:.*' on this machine"):
        devices.pick()


def test_a_device_whose_memory_is_full_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*size: int, device: torch.device) -> None:
        raise torch.OutOfMemoryError(f"no memory on {device}")

    want(monkeypatch, "cpu")
    monkeypatch.setattr(torch, "zeros", fail)
    with pytest.raises(torch.OutOfMemoryError, match="no memory on cpu"):
        devices.pick()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_cuda_device_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    want(monkeypatch, "cuda:0")
    assert devices.pick() == torch.device("cuda:0")
    want(monkeypatch, f"cuda:{torch.cuda.device_count()}")
    with pytest.raises(InputError, match="no device 'cuda:"):
        devices.pick()


@pytest.mark.parametrize(("threads", "words"), [(1, "1 thread"), (2, "2 threads")])
def test_devices_by_name(monkeypatch: pytest.MonkeyPatch, threads: int, words: str) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    name = devices.describe(torch.device("cpu"))
    assert name.startswith("CPU (")
    assert name.endswith(f", {words})")
    assert devices.describe(torch.device("mps")) == "Apple GPU (MPS)"


def test_what_a_processor_computes_with(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for name in devices.LIMITS:
        monkeypatch.delenv(name, raising=False)
    found = devices.instructions(cpu)
    assert found == devices.instructions(cpu)
    assert json.loads(json.dumps(found)) == found
    assert found["used"] == torch.backends.cpu.get_cpu_capability()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert devices.instructions(cpu) == found | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "NO AVX")
    capabilities = {"avx2": True, "num_physical_cores": 64}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    expected = {"avx2": True, "used": "NO AVX", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    assert devices.instructions(cpu) == expected
    assert devices.instructions(torch.device("cuda")) == {}


@pytest.mark.parametrize(
    "units", [(), ("avx512_bf16",), ("amx_tile",), ("avx512_bf16", "amx_tile")]
)
def test_bfloat16_needs_hardware(monkeypatch: pytest.MonkeyPatch, units: tuple[str, ...]) -> None:
    for unit in ("avx512_bf16", "amx_tile"):
        there = unit in units
        monkeypatch.setattr(torch.cpu, f"_is_{unit}_supported", lambda there=there: there)
    assert devices.has_bfloat16(torch.device("cpu")) == bool(units)
    assert not devices.has_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("device", "image_size", "count"),
    [("cpu", 8, 250), ("cpu", 256, 250), ("cuda", 28, 1000), ("mps", 14, 4000), ("cuda", 256, 250)],
)
def test_images_at_a_time(device: str, image_size: int, count: int) -> None:
    assert devices.batch_size(torch.device(device), image_size) == count
