"""What kernels are compiled for, and which models and GPUs they support."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.device.memory import FLOAT8_CAPABILITY

# Older GPUs have no 16-byte loads that bypass the L1 cache.
MINIMUM_CAPABILITY = (7, 0)
"""The compute capability from which on there are kernels."""

_MINIMUM_FOR_BFLOAT16 = (8, 0)
# The tensor cores' m16n8k16, and m16n8k32 for integers.
_MINIMUM_FOR_TENSOR_CORES = (8, 0)
_LONGEST_ROW = 8192
LONGEST_LAYER_NORM = 4096
"""Columns of the longest row that `Kernels.add_layer_norm` takes."""
# Of a raw product in float16, see RAW_UNIT.
_LONGEST_FLOAT8_INNER = 20480
_MOST_THREADS = 1024  # Of a block.
_LARGEST_GROUP = 8


@dataclass(frozen=True)
class KernelShape:
    """Sizes and dtypes that are constants of the compiled code.

    `dtype` is that of activations; `bits` (16, 8 or 4) are those of the decoder layers' weights,
    which are floats of 8 bits with `is_float8`, else integers where they are fewer than 16;
    `cache_bits` (16 or 8) are those of keys and values in the KV cache;
    `hidden` and `inner` are the widths of the residual stream and of the MLP; `group` is the
    number of query heads per key head; with `has_bias` queries, keys and values have biases.
    """

    dtype: torch.dtype
    bits: int
    hidden: int
    inner: int
    head_dim: int
    group: int
    is_float8: bool = False
    cache_bits: int = 16
    has_bias: bool = False


def row_chunks(columns: int) -> int:
    """Eights of columns that each thread of a block has in registers, of a row that the block has
    there: two, as more would leave room for fewer blocks, or as many as the longest rows need."""
    return max(2, -(-columns // (8 * _MOST_THREADS)))


def row_threads(columns: int) -> int:
    """Threads of a block that has a row in registers, `row_chunks` each."""
    return -(-columns // (8 * row_chunks(columns) * 32)) * 32


def device_obstacle(shape: KernelShape, device: torch.device) -> str | None:
    """Why there are no kernels for models of `shape` on `device`; None if there are."""
    if device.type != "cuda" or torch.version.cuda is None:
        return f"{device.type} has none"
    return obstacle(shape, torch.cuda.get_device_capability(device))


def obstacle(shape: KernelShape, capability: tuple[int, int]) -> str | None:
    """Why there are no kernels for models of `shape` on GPUs of this compute capability; None if
    there are."""
    if shape.dtype not in (torch.float16, torch.bfloat16):
        return f"they compute in 16 bits, and not in {shape.dtype}"
    if capability < (
        _MINIMUM_FOR_BFLOAT16 if shape.dtype == torch.bfloat16 else MINIMUM_CAPABILITY
    ):
        return f"a card of compute capability {capability[0]}.{capability[1]} is too old"
    if shape.head_dim not in (64, 128) or not 1 <= shape.group <= _LARGEST_GROUP:
        return f"heads of {shape.head_dim}, {shape.group} to a key"
    # Rows are read 16 bytes at a time, and groups of 4-bit weights are whole.
    unit = {16: 8, 8: 16, 4: 64}[shape.bits]
    if shape.hidden % unit or shape.inner % unit or shape.hidden > _LONGEST_ROW:
        return f"rows of {shape.hidden} and {shape.inner}"
    if shape.is_float8 and not has_float8(shape, capability):
        return f"no FP8 in rows of {shape.inner} or compute capability {capability}"
    return None


def has_skinny(shape: KernelShape, capability: tuple[int, int]) -> bool:
    """Whether there is a skinny matmul for `shape` on GPUs of this compute capability."""
    return shape.bits < 16 and capability >= _MINIMUM_FOR_TENSOR_CORES


def multiplies_cache(shape: KernelShape, capability: tuple[int, int]) -> bool:
    """Whether a KV cache in 8 bits goes into the tensor cores as it is."""
    return shape.cache_bits == 8 and capability >= _MINIMUM_FOR_TENSOR_CORES


def has_float8(shape: KernelShape, capability: tuple[int, int]) -> bool:
    """Whether there are kernels that round rows of activations to FP8 for products with them."""
    return (
        shape.bits < 16
        and capability >= FLOAT8_CAPABILITY
        and shape.inner <= _LONGEST_FLOAT8_INNER
        and shape.hidden % 16 == shape.inner % 16 == 0
    )
