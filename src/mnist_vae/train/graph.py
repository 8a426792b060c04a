"""A step of training as a CUDA graph.

A step is a hundred small kernels. Launched one by one they keep the processor busy for longer than
the card; a graph launches them all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Step = Callable[..., None]
"""Takes tensors, and changes others in place."""


class Graphed:
    """A step on CUDA that is captured once for each shape of its inputs, and then replayed.

    ``changes`` are all the tensors that the step changes: it is run once to warm up, and what that
    did to them is undone. The step must not wait for the device.
    """

    def __init__(self, step: Step, changes: Sequence[Tensor]) -> None:
        self.step, self.changes = step, changes
        self.captured: dict[tuple[torch.Size, ...], tuple[Callable[[], None], list[Tensor]]] = {}

    def __call__(self, *inputs: Tensor) -> None:
        """Take a step."""
        shapes = tuple(tensor.shape for tensor in inputs)
        if shapes not in self.captured:
            places = [tensor.clone() for tensor in inputs]
            self.captured[shapes] = self.capture(places), places
        replay, places = self.captured[shapes]
        for place, tensor in zip(places, inputs, strict=True):
            place.copy_(tensor)
        replay()

    def capture(self, places: Sequence[Tensor]) -> Callable[[], None]:
        """What takes the step from inputs that lie in ``places``."""
        before = [tensor.clone() for tensor in self.changes]
        side = torch.cuda.Stream()  # libraries start in it, which a graph cannot hold
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            self.step(*places)
        torch.cuda.current_stream().wait_stream(side)
        for tensor, value in zip(self.changes, before, strict=True):
            tensor.copy_(value)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(*places)
        return graph.replay
