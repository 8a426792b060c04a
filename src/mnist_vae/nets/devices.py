"""Which device computes, and what it is good at."""

from __future__ import annotations

import ctypes
import os
import platform

import numpy as np
import torch

from mnist_vae.errors import InputError

VARIABLE = "MNIST_VAE_DEVICE"
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


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


def to_device(array: np.ndarray, where: torch.device) -> torch.Tensor:
    """An array as a tensor on a device."""
    return torch.from_numpy(array).to(where)


def tune_for_training() -> None:
    """Let this process, and the threads that it starts from now on, train at full speed.

    Tiny numbers count as zero: an optimizer's averages of a unit that no longer fires decay to
    below 1e-38, for which a processor takes a hundred times as long. And with GNU's C library freed
    memory is kept, where each step would give it back and fault it in again. Both hold for all that
    the process computes, and not every library is made for the first: for stages that train only.
    """
    torch.set_flush_denormal(True)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**25)
        libc.mallopt(M_TRIM_THRESHOLD, 2**30)


def describe(device: torch.device) -> str:
    """The device by name, as a person would say it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU (MPS)"
    threads = torch.get_num_threads()
    return f"CPU ({platform.machine()}, {threads} thread{'s' if threads > 1 else ''})"


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are done in hardware: slower than float32 where not."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
