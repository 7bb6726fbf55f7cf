"""Finds how many positions a block of the decode step's attention should have.

    python -m tests.benchmarks.attention_parts [--sizes llava-onevision-7b] [--slots 1 8]

On a graphics card. Prints microseconds a layer for each number of positions, with as many layers
as the model has, so that none finds its keys in the L2 cache; the one that is chosen has a star.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import product

import torch

from core.llava.kernels.launch import Kernels, load_kernels
from core.llava.kernels.scratch import AttentionScratch
from core.llava.kernels.shape import KernelShape
from core.llava.quantized_cache import LayerCache, QuantizedCache

SIZES = {
    "llava-1.5-7b": (KernelShape(torch.float16, 16, 4096, 11008, 128, 1), 32, 32),
    "joycaption": (KernelShape(torch.bfloat16, 16, 4096, 14336, 128, 4), 8, 32),
    "llava-onevision-7b": (
        KernelShape(torch.bfloat16, 16, 3584, 18944, 128, 7, has_bias=True),
        4,
        28,
    ),
}
"""The shape, key heads and layers."""
PARTS = (32, 64, 96, 128, 192, 256, 384, 512)
TIMES = 20


def measured(
    shape: KernelShape, key_heads: int, layers: int, slots: int, positions: int
) -> dict[int, float]:
    """Microseconds a layer by the positions of a block; the first is chosen by itself."""
    device = torch.device("cuda")
    kernels = load_kernels(shape, device)
    assert kernels is not None
    length = -(-positions // 256) * 256
    size = slots, 2 * key_heads, length, shape.head_dim
    caches = [_cache(shape, size, device) for _ in range(layers)]
    heads = key_heads * (shape.group + 2) * shape.head_dim
    states = torch.randn(slots, heads, device=device).to(shape.dtype)
    own = AttentionScratch.allocate(slots, length, key_heads, shape, device).part
    return {
        part: _microseconds(kernels, states, caches, positions, part)
        for part in dict.fromkeys((own, *PARTS))
    }


def _cache(shape: KernelShape, size: tuple[int, ...], device: torch.device) -> LayerCache:
    if shape.cache_bits == 8:
        return QuantizedCache.zeros(size, device)
    return torch.randn(size, device=device).to(shape.dtype)


def _microseconds(
    kernels: Kernels, states: torch.Tensor, caches: list[LayerCache], positions: int, part: int
) -> float:
    shape, slots = kernels.shape, len(states)
    _, twice, length, head_dim = caches[0].shape
    key_heads = twice // 2
    scratch = AttentionScratch(
        part,
        states.new_empty(
            slots * key_heads * shape.group, -(-length // part), head_dim + 2, dtype=torch.float32
        ),
        states.new_zeros(slots, key_heads, dtype=torch.int32),
    )
    kernels._scratch = (slots, length, key_heads), scratch
    tables = torch.randn(2, length, head_dim, device=states.device)
    at = torch.full((slots,), positions - 1, device=states.device)
    place = kernels.step_positions(at, 0, *tables)

    def step() -> None:
        for cache in caches:
            kernels.decode_attention(states, cache, place)

    step()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    graph.replay()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(TIMES):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    return 1000 * begin.elapsed_time(end) / (TIMES * len(caches))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--slots", nargs="+", type=int, default=[1, 4, 16, 64])
    parser.add_argument("--positions", nargs="+", type=int, default=[700, 4800])
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This needs a CUDA graphics card.")
    for name, bits, slots, positions in product(
        options.sizes, (16, 8), options.slots, options.positions
    ):
        shape, key_heads, layers = SIZES[name]
        if slots * positions * key_heads * layers > 64 * 4800 * 4 * 28:
            continue  # More than a card holds.
        found = measured(replace(shape, cache_bits=bits), key_heads, layers, slots, positions)
        own = next(iter(found))
        times = ", ".join(
            f"{part}{'*' * (part == own)}: {found[part]:.1f}" for part in sorted(found)
        )
        sys.stdout.write(f"{name}, {bits} bits, {slots} × {positions}: {times}\n")
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
