"""Weights that any language can make again: Mulberry32, seeded by FNV-1a of the tensor's name, all in 32-bit integers."""

import math

import numpy as np
import torch


def seed_of(name: str) -> int:
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    return seed


def uniform(name: str, count: int) -> np.ndarray:
    """Numbers in [0, 1), float64."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * 0x6D2B79F5 + seed_of(name)
    state = (steps & 0xFFFFFFFF).astype(np.uint32)
    mixed = (state ^ (state >> 15)) * (state | 1)
    mixed ^= mixed + (mixed ^ (mixed >> 7)) * (mixed | 61)
    return (mixed ^ (mixed >> 14)).astype(np.float64) / 2.0**32


def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Matrices with entries of a variance that keeps the size of what they multiply; scales around one; small biases."""
    centred = uniform(name, math.prod(shape)) * 2 - 1
    if len(shape) > 1:
        numbers = centred * (math.sqrt(3 / shape[-1]) * 1.5)
    elif name.endswith("bias"):
        numbers = centred * 0.5
    else:
        numbers = 1 + centred * 0.3
    return numbers.astype(np.float32).reshape(shape)


def fill(model: torch.nn.Module) -> dict[str, list[int]]:
    """Gives every parameter its values; returns the shapes."""
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(values(name, tuple(parameter.shape))))
    return shapes
