"""Losses and gradients that a GPU replays.

A step of a few million parameters on a few thousand tokens is some hundred small operations, which a processor launches more
slowly than the GPU does them. Recorded once for each shape of a batch, they are one launch.
"""

from dataclasses import dataclass
from typing import Callable

import numpy as np
import torch
from torch import Tensor

from .batches import Batch

# Before a step is recorded: whatever is compiled, chosen by measuring or allocated once happens here.
WARM_UPS = 2


@dataclass(frozen=True)
class Recorded:
    """A step for one shape, which reads its batch from `inputs` and leaves its loss in `loss`."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, Tensor, Tensor]
    loss: Tensor


class Graphs:
    """Leaves the gradients of a batch in the parameters, whose `grad` must stay the same tensors, and returns its loss."""

    def __init__(self, loss: Callable[[Tensor, Tensor, Tensor], Tensor], parameters: list[torch.nn.Parameter]):
        """`loss` takes ids, targets and weights, each [rows, positions]; its size of work may depend on their shape only."""
        self.loss, self.gradients = loss, [torch.zeros_like(p) for p in parameters]
        for parameter, gradient in zip(parameters, self.gradients):
            parameter.grad = gradient
        self.pool = torch.cuda.graph_pool_handle()
        self.recorded: dict[tuple[int, ...], Recorded] = {}

    def step(self, batch: Batch) -> Tensor:
        parts = [_pinned(part) for part in (batch.ids, batch.targets, batch.weights)]
        recorded = self.recorded.get(batch.ids.shape)
        if recorded is None:
            recorded = self.recorded[batch.ids.shape] = self._record(tuple(part.cuda() for part in parts))
        for place, part in zip(recorded.inputs, parts):
            place.copy_(part, non_blocking=True)
        recorded.graph.replay()
        return recorded.loss

    def _record(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Recorded:
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                self._compute(inputs)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            loss = self._compute(inputs)
        return Recorded(graph, inputs, loss)

    def _compute(self, inputs: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        torch._foreach_zero_(self.gradients)
        loss = self.loss(*inputs)
        loss.backward()
        return loss.detach()


def _pinned(part: np.ndarray) -> Tensor:
    return torch.from_numpy(part).pin_memory()
