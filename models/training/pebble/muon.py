"""Muon (Jordan et al. 2024): momentum whose matrices are orthogonalised by Newton-Schulz steps.

torch.optim.Muon works in bfloat16, which is slow on processors without bfloat16 units, and matrix by matrix; this one
keeps the dtype it is told and stacks matrices of one shape.
"""

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Brings the singular values of each matrix of a stack [count, rows, columns] near 1."""
    a, b, c = COEFFICIENTS
    wide = matrices.shape[-2] <= matrices.shape[-1]
    x = matrices if wide else matrices.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Updates have the root mean square of AdamW's (0.2), so that both share a learning rate."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.01, dtype=torch.float32):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                stacks.setdefault(parameter.shape, []).append(parameter)
            for shape, parameters in stacks.items():
                self._update(group, shape, parameters)

    def _update(self, group: dict, shape: torch.Size, parameters: list[Tensor]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        gradients = [parameter.grad for parameter in parameters]
        buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        directions = torch._foreach_lerp(gradients, buffers, momentum)
        updates = orthogonalise(torch.stack(directions).to(self.dtype)).to(parameters[0].dtype)
        torch._foreach_mul_(parameters, 1 - lr * group["weight_decay"])
        torch._foreach_add_(parameters, list(updates.unbind()), alpha=-lr * 0.2 * max(shape) ** 0.5)
