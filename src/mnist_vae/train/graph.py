"""A step of training as a CUDA graph.

A step is a hundred small kernels. Launched one by one they keep the processor busy for longer than
the card; a graph launches them all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Step = Callable[..., None]
"""Takes tensors, and changes others in place."""

PLAIN = 4
"""Steps of a shape before its capture, which takes as long as some of them.

The first must be plain: libraries start in it, which a graph cannot hold. The short batch at the
end of an epoch may come no more often.
"""


class Graphed:
    """A step on CUDA that is captured for each shape of inputs that comes often, then replayed.

    The step must not wait for the device.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.taken: Counter[tuple[torch.Size, ...]] = Counter()
        self.captured: dict[tuple[torch.Size, ...], tuple[Callable[[], None], list[Tensor]]] = {}

    def __call__(self, *inputs: Tensor) -> None:
        """Take a step."""
        shapes = tuple(tensor.shape for tensor in inputs)
        self.taken[shapes] += 1
        if self.taken[shapes] <= PLAIN:
            self.step(*inputs)
            return
        if shapes not in self.captured:
            places = [tensor.clone() for tensor in inputs]
            self.captured[shapes] = self.capture(places), places
        replay, places = self.captured[shapes]
        for place, tensor in zip(places, inputs, strict=True):
            place.copy_(tensor)
        replay()

    def capture(self, places: Sequence[Tensor]) -> Callable[[], None]:
        """What takes the step from inputs that lie in ``places``."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(*places)
        return graph.replay
