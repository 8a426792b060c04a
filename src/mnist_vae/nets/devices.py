"""Which device computes, and what it is good at."""

from __future__ import annotations

import os
import platform

import numpy as np
import torch

from mnist_vae.errors import InputError

VARIABLE = "MNIST_VAE_DEVICE"
LIMITS = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
)
"""Variables of the environment by which torch and its libraries use fewer instructions."""
BATCH = 250
"""Images at a time when nothing is learned: few enough for a processor's cache, the fastest."""
LAUNCHED = 1000 * 28**2
"""Pixels at a time on a GPU, where a small batch costs no less than its launches."""


def pick() -> torch.device:
    """CUDA where there is one, else Apple's MPS, else the CPU, unless the environment says which.

    The device is no tracked parameter: it must not make results stale. Prints what it picked.
    Raises InputError when ``MNIST_VAE_DEVICE`` names a device that is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    usable = [name for name, available in there.items() if available] + ["cpu"]
    wanted = os.environ.get(VARIABLE) or usable[0]
    if wanted.split(":")[0] not in usable:
        raise InputError(f"{VARIABLE}: found {wanted!r}, this machine has {', '.join(usable)}")
    if wanted == "cuda":  # a card for each process that torchrun starts on this machine
        wanted += f":{os.environ.get('LOCAL_RANK', 0)}"
    try:
        device = torch.device(wanted)
        torch.zeros(1, device=device)
    except torch.OutOfMemoryError:
        raise  # it is there, but others have all its memory
    except RuntimeError as error:
        why = str(error).splitlines()[0]
        raise InputError(f"{VARIABLE}: no device {wanted!r} on this machine: {why}") from None
    if device.type == "cuda":  # convolutions that give the same bytes each time, in true float32
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    print(f"device: {describe(device)}", flush=True)
    return device


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array as a tensor on a device, or on the CPU still where it would fill half of a card."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda" and tensor.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return tensor
    return tensor.to(device)


def describe(device: torch.device) -> str:
    """The device by name, as a person would say it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU (MPS)"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' if threads > 1 else ''})"


def instructions(device: torch.device) -> dict[str, object]:
    """Whatever decides which instructions a processor computes with, and in which order it adds.

    The name of its kind, what it can do, how large its caches are, which the libraries cut products
    by, and what the environment forbids. Nothing of a GPU, whose name says it.
    """
    if device.type != "cpu":
        return {}
    # How many cores there are decides nothing: the threads that compute are counted elsewhere.
    read = getattr(torch.cpu, "get_capabilities", None)  # not in torch 2.11
    known: dict[str, object] = dict(read()) if read else {}
    known = {name: what for name, what in known.items() if not name.startswith("num_")}
    known["used"] = torch.backends.cpu.get_cpu_capability()
    return known | {name: os.environ[name] for name in LIMITS if name in os.environ}


def batch_size(device: torch.device, image_size: int) -> int:
    """Images of a height and width at a time when nothing is learned."""
    return BATCH if device.type == "cpu" else max(BATCH, LAUNCHED // image_size**2)


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are done in hardware: slower than float32 where not."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
