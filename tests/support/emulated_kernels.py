"""The kernels that read or write a KV cache or resize pictures, run without a graphics card."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from core.llava.kernels.arguments import of_cache
from core.llava.kernels.scratch import AttentionScratch
from core.llava.kernels.shape import KernelShape
from core.llava.kernels.square import Square
from core.llava.quantized_cache import LayerCache
from tests.support.emulated_sources import address, compiled

_CALLS = """
#if CACHE_BITS == 8
#define DECODE decode_attention_int8
#else
#define DECODE decode_attention
#endif

struct Step {
    const u16* states; Cached* cache; float* scales; const float *cosine, *sine;
    const long long* positions; u16* out; float* partial; int* ended; int length, part; float scale;
} of_step;

struct Prompt {
    const u16* states; u16* out; Cached* cache; float* scales; const float *cosine, *sine;
    int key_heads, length; const long long* begin_and_slot; int count, before;
} of_prompt;

extern "C" void attend(Step given, int parts, int key_heads, int slots) {
    of_step = given;
    run(parts, key_heads, slots, 128, [] {
        const Step& s = of_step;
        DECODE(s.states, nullptr, nullptr, 1, s.cache, s.scales, s.cosine, s.sine, s.positions,
               s.out, s.partial, s.ended, s.length, s.part, s.scale);
    });
}

struct Resizing {
    const u32* pixels; u32* narrow; const int *first, *weights; const float* normalised;
    float* values;
    int width, height, left, top, padding, taps, size;
} of_resizing;

extern "C" void resize(Resizing given) {
    of_resizing = given;
    run((given.height * given.size + 255) / 256, 1, 1, 256, [] {
        const Resizing& r = of_resizing;
        resize_across(r.pixels, r.width, r.height, r.left, r.padding, r.first, r.weights, r.taps,
                      r.narrow, r.size);
    });
    run((given.size * given.size + 255) / 256, 1, 1, 256, [] {
        const Resizing& r = of_resizing;
        resize_down(r.narrow, r.height, r.top, r.padding, r.first, r.weights, r.taps, r.normalised,
                    r.values, r.size);
    });
}

extern "C" void rotate_and_cache(Prompt given, int blocks) {
    of_prompt = given;
    run(blocks, 1, 1, 256, [] {
        const Prompt& p = of_prompt;
        rope_and_cache(p.states, nullptr, nullptr, 1, p.out, p.cache, p.scales, p.cosine, p.sine,
                       p.key_heads, p.length, 0, p.begin_and_slot, p.count, p.before);
    });
}
"""
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_AMPERE = (8, 0)


class _Step(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("states", "cache", "scales", "cosine", "sine")),
        *((name, _POINTER) for name in ("positions", "out", "partial", "ended")),
        *((name, _INT) for name in ("length", "part")),
        ("scale", ctypes.c_float),
    )


class _Prompt(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("states", "out", "cache", "scales", "cosine", "sine")),
        *((name, _INT) for name in ("key_heads", "length")),
        ("begin_and_slot", _POINTER),
        *((name, _INT) for name in ("count", "before")),
    )


class _Resizing(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("pixels", "narrow", "first", "weights")),
        *((name, _POINTER) for name in ("normalised", "values")),
        *((name, _INT) for name in ("width", "height", "left", "top", "padding", "taps", "size")),
    )


class EmulatedKernels:
    """`Kernels` of bfloat16 on tensors of the CPU, as far as a KV cache is read and written, or a
    picture resized.

    `compiled_in` is a folder for the library. Skips the test where there is no C++ compiler, and
    on other systems than Linux.
    """

    def __init__(self, compiled_in: Path, head_dim: int, group: int, cache_bits: int):
        self._shape = KernelShape(
            torch.bfloat16, 16, 4096, 11008, head_dim, group, cache_bits=cache_bits
        )
        attention = "attention_int8.cu" if cache_bits == 8 else "attention.cu"
        sources = (attention, "rotary.cu", "resize.cu")
        self._library = compiled(compiled_in, self._shape, _AMPERE, sources, _CALLS)

    def decode_attention(
        self, states: Tensor, cache: LayerCache, positions: Tensor, cosine: Tensor, sine: Tensor
    ) -> Tensor:
        """See `Kernels.decode_attention`."""
        shape, slots = self._shape, len(states)
        key_heads, length = cache.shape[1] // 2, cache.shape[2]
        scratch = AttentionScratch.allocate(slots, length, key_heads, shape, states.device)
        out = torch.zeros(slots, key_heads * shape.group * shape.head_dim, dtype=states.dtype)
        tensors = (states, *of_cache(cache), cosine, sine, positions, out)
        given = _Step(
            *map(address, (*tensors, scratch.partial, scratch.ended)),
            length,
            scratch.part,
            shape.head_dim**-0.5,
        )
        self._library.attend(given, -(-length // scratch.part), key_heads, slots)
        assert not scratch.ended.any()
        return out

    def resized(self, pixels: Tensor, square: Square) -> Tensor:
        """See `Kernels.resized`."""
        (height, width), (taps, size) = pixels.shape, square.weights.shape
        values = torch.zeros(3, size, size)
        narrow = torch.zeros(height, size, dtype=torch.int32)
        tensors = (pixels, narrow, square.first, square.weights, square.normalised, values)
        sizes = (width, height, square.left, square.top, square.padding, taps, size)
        self._library.resize(_Resizing(*map(address, tensors), *sizes))
        return values

    def rope_and_cache_at(
        self,
        states: Tensor,
        cache: LayerCache,
        cosine: Tensor,
        sine: Tensor,
        begin_and_slot: Tensor,
        before: int = 0,
    ) -> Tensor:
        """See `Kernels.rope_and_cache_at`."""
        count, width = states.shape
        out = states.new_empty(before + count, width) if before else states
        given = _Prompt(
            *map(address, (states, out, *of_cache(cache), cosine, sine)),
            cache.shape[1] // 2,
            cache.shape[2],
            address(begin_and_slot),
            count,
            before,
        )
        self._library.rotate_and_cache(given, -(-(before + count) * width // (16 * 256)))
        return out
