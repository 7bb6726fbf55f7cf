"""Muon: momentum whose matrices are made nearly orthogonal before they are added.

After Keller Jordan's description (2024), written for batches of equal shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalised(matrices: Tensor, steps: int = 5) -> Tensor:
    """Newton and Schulz's iteration on (n, rows, columns); singular values come near 1."""
    a, b, c = _COEFFICIENTS
    x = matrices.bfloat16()
    is_tall = x.shape[-2] > x.shape[-1]
    if is_tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * 1.01 + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if is_tall else x


class Muon:
    """For matrices only; call `step` with the learning rate of the moment."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], momentum: float = 0.95, decay: float = 0.02
    ):
        shapes: dict[torch.Size, list[nn.Parameter]] = {}
        for parameter in parameters:
            shapes.setdefault(parameter.shape, []).append(parameter)
        self.groups = list(shapes.values())
        self.buffers = [[torch.zeros_like(p) for p in group] for group in self.groups]
        self.momentum = momentum
        self.decay = decay

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for group, buffers in zip(self.groups, self.buffers, strict=True):
            live = [
                (p, b, p.grad) for p, b in zip(group, buffers, strict=True) if p.grad is not None
            ]
            if not live:
                continue
            parameters, momenta, grads = (list(column) for column in zip(*live, strict=True))
            # What torch.optim itself is built on; it has no public name.
            each: Any = torch
            each._foreach_lerp_(momenta, grads, 1 - self.momentum)
            ahead = each._foreach_lerp(grads, momenta, self.momentum)
            updates = orthogonalised(torch.stack(list(ahead))).float()
            rows, columns = parameters[0].shape
            scale = max(1.0, rows / columns) ** 0.5
            each._foreach_mul_(parameters, 1 - rate * self.decay)
            each._foreach_add_(parameters, list(updates.unbind()), alpha=-rate * scale)
