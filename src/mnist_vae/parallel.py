"""Processes that train one network together, as torchrun starts them; one alone needs none of it.

Each process takes its rows of every batch; sums over all of them make the gradient of the whole
batch, so that all processes hold the same parameters after each step.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


@contextmanager
def together(device: torch.device) -> Iterator[None]:
    """Join the other processes that torchrun started, if it did, by NCCL on CUDA, else by Gloo."""
    if not dist.is_torchelastic_launched():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def count() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes, which it knows before it joins the others."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


def own_rows(batch: Sequence[Tensor]) -> list[Tensor]:
    """The rows of a batch that this process computes; perhaps none, where there are few."""
    return [column[dist.get_rank() :: count()] for column in batch] if count() > 1 else [*batch]


def add_up(tensor: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place."""
    if count() > 1:
        dist.all_reduce(tensor)
    return tensor


def mean(rows: Tensor) -> Tensor:
    """The mean of numbers of which each process has its rows."""
    if count() == 1:
        return rows.mean()
    total = add_up(torch.stack((rows.sum(), rows.new_tensor(rows.numel()))))
    return total[0] / total[1]


def from_first(value: Value, tensors: Sequence[Tensor] = ()) -> Value:
    """The first process's value; its tensors are copied into everybody's."""
    if count() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    for tensor in tensors:
        dist.broadcast(tensor, 0)
    return values[0]
