"""The products of one row, and a whole decode step of one slot, run without a graphics card."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from core.llava.float8 import Float8Rows
from core.llava.kernels.gemv import gemv_share, gemv_tuning, gemv_warps
from core.llava.kernels.shape import KernelShape, row_threads
from core.llava.quantized import QuantizedMatrix
from core.llava.quantized_cache import LayerCache
from tests.support.emulated_kernels import EmulatedKernels
from tests.support.emulated_sources import address, compiled

_CALLS = """
struct Row {
    const u8* weight; const void* scales; const u16 *x, *gain, *added; void* out; float eps;
    int rows, columns, share;
} of_row;

#define CALL(NAME)                                                                       \\
    extern "C" void call_##NAME(Row given, int blocks, int threads) {                     \\
        of_row = given;                                                                  \\
        run(blocks, 1, 1, threads, [] {                                                  \\
            const Row& r = of_row;                                                       \\
            NAME(r.weight, r.scales, r.x, r.gain, r.eps, r.added, r.out, r.rows, r.columns, \\
                 r.share);                                                               \\
        });                                                                              \\
    }

CALL(norm_gemv)
CALL(gemv_add)
CALL(norm_gemv_gated)
CALL(norm_gemv_logits)

#if FLOAT8_ROWS
struct Gates { const u16* gates; u8* out; float* scales; int inner; } of_gates;

extern "C" void call_silu_and_mul_e4m3(Gates given, int rows, int threads) {
    of_gates = given;
    run(rows, 1, 1, threads, [] {
        const Gates& g = of_gates;
        silu_and_mul_e4m3(g.gates, nullptr, nullptr, 1, g.out, g.scales, g.inner);
    });
}
#endif
"""
_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
# The first that has FP8.
_ADA = (8, 9)


class _Row(ctypes.Structure):
    _fields_ = (
        *((name, _POINTER) for name in ("weight", "scales", "x", "gain", "added", "out")),
        ("eps", ctypes.c_float),
        *((name, _INT) for name in ("rows", "columns", "share")),
    )


class _Gates(ctypes.Structure):
    _fields_ = (*((name, _POINTER) for name in ("gates", "out", "scales")), ("inner", _INT))


class EmulatedProducts:
    """`Kernels` for models of `shape` on tensors of the CPU, as far as one row is multiplied.

    `compiled_in` is a folder for the library. Skips the test as `compiled` does.
    """

    def __init__(self, compiled_in: Path, shape: KernelShape):
        self._shape, self._tuning = shape, gemv_tuning(shape)
        sources = ("gemv.cu", "activation.cu")
        self._library = compiled(compiled_in, shape, _ADA, sources, _CALLS)

    def norm_gemv(
        self,
        matrix: Tensor | QuantizedMatrix,
        row: Tensor,
        gain: Tensor,
        eps: float,
        bias: Tensor | None = None,
    ) -> Tensor:
        """See `Kernels.norm_gemv`."""
        out = row.new_full((1, matrix.shape[0]), torch.nan)
        self._call("norm_gemv", matrix, row, gain, eps, bias, out)
        return out

    def gemv_add(self, matrix: Tensor | QuantizedMatrix, row: Tensor, hidden: Tensor) -> None:
        """See `Kernels.gemv_add`."""
        self._call("gemv_add", matrix, row, None, 0.0, hidden, hidden)

    def norm_gemv_gated(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """See `Kernels.norm_gemv_gated`."""
        out = row.new_full((1, matrix.shape[0] // 2), torch.nan)
        self._call("norm_gemv_gated", matrix, row, gain, eps, None, out)
        return out

    def norm_gemv_logits(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """See `Kernels.norm_gemv_logits`."""
        out = torch.full((1, matrix.shape[0]), torch.nan)
        self._call("norm_gemv_logits", matrix, row, gain, eps, None, out)
        return out

    def silu_and_mul_float8(self, gates: Tensor) -> Float8Rows:
        """See `Kernels.silu_and_mul_float8`."""
        rows, inner = gates.shape[0], gates.shape[1] // 2
        out = Float8Rows.empty(rows, inner, gates.device)
        given = _Gates(*map(address, (gates, out.values, out.scales)), inner)
        self._library.call_silu_and_mul_e4m3(given, rows, row_threads(inner))
        return out

    def _call(
        self,
        name: str,
        matrix: Tensor | QuantizedMatrix,
        row: Tensor,
        gain: Tensor | None,
        eps: float,
        added: Tensor | None,
        out: Tensor,
    ) -> None:
        rows, columns = matrix.shape
        is_quantized = isinstance(matrix, QuantizedMatrix)
        weight, scales = (matrix.values, matrix.scales) if is_quantized else (matrix, None)
        work, pair = getattr(self._tuning, name), 1 + (name == "norm_gemv_gated")
        warps = gemv_warps(columns, work.loads, matrix.bits if is_quantized else 16)
        share = gemv_share(work, rows // pair, warps, 2, pair)
        pointers = map(address, (weight, scales, row, gain, added, out))
        given = _Row(*pointers, eps, rows, columns, share)
        call = getattr(self._library, f"call_{name}")
        call(given, -(-rows // (pair * share)), warps * 32)


class EmulatedStep(EmulatedProducts):
    """All that `DecodeStep` needs of `Kernels` for one slot."""

    def __init__(self, compiled_in: Path, shape: KernelShape):
        super().__init__(compiled_in, shape)
        self._attention = EmulatedKernels(
            compiled_in, shape.head_dim, shape.group, shape.cache_bits
        )

    def step_positions(
        self, positions: Tensor, span: int, cosine: Tensor, sine: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernels.step_positions`."""
        return positions, cosine.float(), sine.float()

    def decode_attention(
        self, states: Tensor, cache: LayerCache, at: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """See `Kernels.decode_attention`."""
        return self._attention.decode_attention(states, cache, *at)
