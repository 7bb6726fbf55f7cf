"""Our own CUDA kernels for one model: compiled when it is loaded, launched from Python.

NVRTC, which comes inside torch's CUDA wheels, compiles `kernels.cu` in under a second and wants no
compiler, header or file of the user's. Where it or the card does not play along there are no
kernels, and torch's own operations do the same work, a little slower.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from core.llava.quantized import QuantizedMatrix

log = logging.getLogger(__name__)

_SOURCE = Path(__file__).with_name("kernels.cu")
_WARP = 32
_THREADS = 128
# Below this the loads of 16 bytes past the first cache are missing.
_LEAST_CAPABILITY = (7, 0)
_LEAST_FOR_BFLOAT16 = (8, 0)
# Tensor cores that multiply sixteen columns at once.
_LEAST_FOR_FEW_ROWS = (8, 0)
# The rows of x for whose multiples a product of few is compiled, the rows of the matrix that a
# block has, and how many rows of x are few: by 7B sizes in 4 bits 8 take an H200 2.7 ms, 32 take
# 4.0, and spelled out 9.8 (python -m tests.benchmarks.few_rows cuda).
_FEW_ROWS, _BLOCK_ROWS, _MOST_FEW = (8, 32), 32, 64
# For each product by the bits of its matrix: the rows that a warp multiplies at once, and how many
# loads of 16 bytes of each are under way. The fastest of
# those tried for a whole step on an H200 (python -m tests.benchmarks.step_tuning).
_GEMVS = ("norm_gemv", "gemv_add", "norm_gemv_gated", "norm_gemv_logits")
_WARP_WORK: dict[int, dict[str, tuple[int, int]]] = {
    16: dict(zip(_GEMVS, [(4, 2), (1, 2), (4, 1), (4, 1)], strict=True)),
    8: dict(zip(_GEMVS, [(2, 2), (1, 4), (2, 2), (4, 1)], strict=True)),
    4: dict(zip(_GEMVS, [(4, 2), (2, 8), (4, 2), (4, 1)], strict=True)),
}
# The positions of a cache that one block looks at: many blocks keep a card busy with one slot.
_FEW_SLOTS = 4
_PART = {True: 64, False: 256}
_LONGEST_ROW = 8192


@dataclass(frozen=True)
class Shape:
    """What kernels are compiled for. `group` is the query heads of each key head; `bits` are those
    of the layers' matrices, and `dtype` is what is computed in."""

    dtype: torch.dtype
    bits: int
    hidden: int
    inner: int
    head_dim: int
    group: int


def kernels(shape: Shape, device: torch.device) -> Kernels | None:
    """The kernels for models of `shape` on `device`, or None; the log says why."""
    reason = _obstacle(shape, device)
    if reason is None:
        try:
            capability = torch.cuda.get_device_capability(device)
            return Kernels(shape, device, _compiled(shape, capability))
        except (OSError, _DriverError) as error:
            reason = str(error)
    log.info("No kernels of our own: %s.", reason)
    return None


def try_compiler() -> float | None:
    """Compile the kernels for one kind of card and give the seconds that took; None where PyTorch
    has no CUDA. Wants no card, so that a package can be tried where there is none. Raises OSError
    where the compiler is missing, RuntimeError where it fails."""
    if torch.version.cuda is None:
        return None
    started = time.perf_counter()
    _compile(Shape(torch.float16, 4, 4096, 11008, 128, 1), "sm_80")
    return time.perf_counter() - started


def _obstacle(shape: Shape, device: torch.device) -> str | None:
    if device.type != "cuda" or torch.version.cuda is None:
        return f"{device.type} has none"
    capability = torch.cuda.get_device_capability(device)
    if shape.dtype not in (torch.float16, torch.bfloat16):
        return f"they compute in 16 bits, and not in {shape.dtype}"
    if capability < (_LEAST_FOR_BFLOAT16 if shape.dtype == torch.bfloat16 else _LEAST_CAPABILITY):
        return f"a card of compute capability {capability[0]}.{capability[1]} is too old"
    if shape.head_dim not in (64, 128) or shape.group not in (1, 2, 4, 8):
        return f"heads of {shape.head_dim}, {shape.group} to a key"
    # Rows are read 16 bytes at a time, and groups of 4-bit weights are whole.
    unit = {16: 8, 8: 16, 4: 64}[shape.bits]
    if shape.hidden % unit or shape.inner % unit or shape.hidden > _LONGEST_ROW:
        return f"rows of {shape.hidden} and {shape.inner}"
    return None


class Kernels:
    """Launches each kernel in torch's current stream. Tensors are contiguous and in the model's
    dtype, but for what is said; nothing of that is checked.

    The sine tables carry rotate_half's sign; both tables are float32 (length, head_dim).
    """

    def __init__(self, shape: Shape, device: torch.device, binary: bytes):
        self.shape = shape
        self._device = torch.cuda.current_device() if device.index is None else device.index
        capability = torch.cuda.get_device_capability(device)
        self._has_skinny = shape.bits < 16 and capability >= _LEAST_FOR_FEW_ROWS
        with torch.cuda.device(self._device):
            torch.zeros(1, device="cuda")  # The driver's calls want what torch then makes current.
            self._load(binary)
        self._attribute = _Attribute(_PROGRAMMATIC_SERIALIZATION, value=1)
        self._config = _Config(
            attributes=ctypes.pointer(self._attribute),
            # Older cards know no such launch.
            attribute_count=int(capability >= (9, 0)),
        )
        self.table_dtype = torch.float32
        self._scratch: tuple[tuple[int, int, int], _Scratch] | None = None

    def _load(self, binary: bytes) -> None:
        driver = _driver()
        module = ctypes.c_void_p()
        driver.check(driver.library.cuModuleLoadData(ctypes.byref(module), binary))
        self._driver, self._module = driver, module
        self._functions: dict[str, ctypes.c_void_p] = {}
        names = [*_GEMVS, "add_rms_norm", "silu_and_mul", "rope_and_cache", "decode_attention"]
        if self.shape.bits < 16:
            names.append("dequantize")
        if self._has_skinny:
            kinds = ("skinny", "skinny_head") if self.shape.bits == 4 else ("skinny",)
            names += [f"{kind}_{count}" for kind in kinds for count in _FEW_ROWS]
        for name in names:
            function = ctypes.c_void_p()
            driver.check(
                driver.library.cuModuleGetFunction(ctypes.byref(function), module, name.encode())
            )
            self._functions[name] = function

    # ---- one row: a matrix times a vector, with what stands before and behind it

    def norm_gemv(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """(1, in) → (1, out): the matrix times the normalised row."""
        out = row.new_empty(1, matrix.shape[0])
        self._multiply("norm_gemv", matrix, row, gain, eps, None, out)
        return out

    def gemv_add(self, matrix: Tensor | QuantizedMatrix, row: Tensor, hidden: Tensor) -> None:
        """Adds the matrix times `row` to `hidden` (1, out), in place."""
        self._multiply("gemv_add", matrix, row, None, 0.0, hidden, hidden)

    def norm_gemv_gated(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """(1, in) → (1, out / 2): of the normalised row, silu(gates) × values."""
        out = row.new_empty(1, matrix.shape[0] // 2)
        self._multiply("norm_gemv_gated", matrix, row, gain, eps, None, out)
        return out

    def norm_gemv_logits(
        self, matrix: Tensor | QuantizedMatrix, row: Tensor, gain: Tensor, eps: float
    ) -> Tensor:
        """(1, in) → float32 (1, out): the logits of the normalised row.

        With layers of fewer bits the head is in 8.
        """
        out = row.new_empty(1, matrix.shape[0], dtype=torch.float32)
        self._multiply("norm_gemv_logits", matrix, row, gain, eps, None, out)
        return out

    def _multiply(
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
        values, scales = (
            (matrix.values, matrix.scales)
            if isinstance(matrix, QuantizedMatrix)
            else (matrix, None)
        )
        warps = -(-rows // _WARP_WORK[self.shape.bits][name][0])
        blocks = -(-warps // (_THREADS // _WARP))
        self._launch(name, (blocks, 1, 1), _THREADS, values, scales, row, gain, eps, added, out,
                     rows, columns)  # fmt: skip

    # ---- many rows

    def add_rms_norm(
        self, hidden: Tensor, delta: Tensor | None, gain: Tensor, eps: float
    ) -> Tensor:
        """Adds `delta` to `hidden` (rows, hidden) in place, and returns the sum normalised."""
        out = torch.empty_like(hidden)
        rows, columns = hidden.shape
        self._launch("add_rms_norm", (rows, 1, 1), 256, hidden, delta, gain, eps, out, columns)
        return out

    def silu_and_mul(self, gates: Tensor) -> Tensor:
        """(rows, 2 × inner) → (rows, inner): silu(gate) × value, in the gates' place."""
        rows, inner = gates.shape[0], gates.shape[1] // 2
        blocks = -(-rows * inner // (8 * 256))
        self._launch("silu_and_mul", (blocks, 1, 1), 256, gates, rows, inner)
        return gates[:, :inner]

    def rope_and_cache(
        self, states: Tensor, cache: Tensor, cosine: Tensor, sine: Tensor, begin: int
    ) -> None:
        """Turns queries and keys of `states` (rows, heads × head_dim) in place to the positions
        from `begin` on, and copies keys and values to `cache` (2 × key heads, length, head_dim)."""
        self._rope_and_cache(states, cache, cosine, sine, begin, None)

    def rope_and_cache_at(
        self, states: Tensor, cache: Tensor, cosine: Tensor, sine: Tensor, place: Tensor
    ) -> None:
        """The same for `place` int64 (2,), the first position and the slot, in `cache` (slots, 2 ×
        key heads, length, head_dim)."""
        self._rope_and_cache(states, cache, cosine, sine, 0, place)

    def _rope_and_cache(
        self,
        states: Tensor,
        cache: Tensor,
        cosine: Tensor,
        sine: Tensor,
        first: int,
        place: Tensor | None,
    ) -> None:
        rows, width = states.shape
        key_heads, length = cache.shape[-3] // 2, cache.shape[-2]
        blocks = -(-rows * width // (16 * 256))
        self._launch("rope_and_cache", (blocks, 1, 1), 256, states, cache, cosine, sine, key_heads,
                     length, first, place, rows)  # fmt: skip

    def step_positions(self, positions: Tensor, span: int, cosine: Tensor, sine: Tensor) -> _Place:
        """What `attend` wants to know of a step of rows at `positions`, int64 (slots,)."""
        return _Place(positions, cosine, sine)

    def decode_attention(self, states: Tensor, cache: Tensor, place: _Place) -> Tensor:
        """One decode step's attention: (slots, heads × head_dim) → (slots, query heads × head_dim).

        Turns queries and keys to their positions, keeps keys and values in `cache` (slots,
        2 × key heads, length, head_dim), and reads no further than a slot is filled. A slot at a
        negative position is passed over, and its row is undefined.
        """
        slots, key_heads, length = len(states), cache.shape[1] // 2, cache.shape[2]
        head_dim = self.shape.head_dim
        scratch = self._scratch_for(slots, length, key_heads, cache.device)
        out = states.new_empty(slots, key_heads * self.shape.group * head_dim)
        grid = -(-length // scratch.part), key_heads, slots
        self._launch("decode_attention", grid, _THREADS, states, cache, place.cosine, place.sine,
                     place.positions, out, scratch.partial, scratch.ended, length,
                     scratch.part, head_dim**-0.5)  # fmt: skip
        return out

    def _scratch_for(
        self, slots: int, length: int, key_heads: int, device: torch.device
    ) -> _Scratch:
        """Layers come one after the other, so one will do. It changes with the cache alone, and
        then nothing that was captured with it is replayed any more."""
        size = (slots, length, key_heads)
        if self._scratch is None or self._scratch[0] != size:
            part = _PART[slots <= _FEW_SLOTS]
            heads = slots * key_heads * self.shape.group
            parts = -(-length // part)
            self._scratch = (
                size,
                _Scratch(
                    part,
                    torch.empty(heads, parts, self.shape.head_dim + 2, device=device),
                    torch.zeros(slots, key_heads, dtype=torch.int32, device=device),
                ),
            )
        return self._scratch[1]

    def supports_skinny(self, quantized: QuantizedMatrix, count: int) -> bool:
        """Whether `skinny_matmul` takes `count` rows by this matrix."""
        return (
            self._has_skinny
            and count <= _MOST_FEW
            and quantized.shape[1] % 64 == 0
            and quantized.bits in (8, self.shape.bits)
        )

    def skinny_matmul(self, quantized: QuantizedMatrix, states: Tensor) -> Tensor:
        """(count, in) → (count, out), up to 64 rows, which may lie apart: no weight is rounded."""
        count, (rows, columns) = len(states), quantized.shape
        out = states.new_empty(count, rows)
        kind = "skinny" if quantized.bits == self.shape.bits else "skinny_head"
        step = next((step for step in _FEW_ROWS if count <= step), _FEW_ROWS[-1])
        grid = -(-count // step), -(-rows // _BLOCK_ROWS), 1
        self._launch(f"{kind}_{step}", grid, 256, quantized.values, quantized.scales, states,
                     states.stride(0), out, count, rows, columns)  # fmt: skip
        return out

    def dequantize(self, quantized: QuantizedMatrix, out: Tensor) -> None:
        """The matrix spelled out into `out` (out, in)."""
        rows, columns = quantized.shape
        if quantized.bits != self.shape.bits:
            quantized.dequantized(out.dtype, out)
            return
        blocks = -(-rows * columns // (8 * 256))
        self._launch("dequantize", (blocks, 1, 1), 256, quantized.values, quantized.scales, out,
                     rows, columns)  # fmt: skip

    def _launch(
        self,
        name: str,
        grid: tuple[int, int, int],
        threads: int,
        *arguments: Tensor | int | float | None,
    ) -> None:
        values = [_argument(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
        config = self._config
        config.grid[:] = grid
        config.block[0] = threads
        config.stream = torch.cuda.current_stream(self._device).cuda_stream
        driver = self._driver
        with torch.cuda.device(self._device):
            code = driver.launch(ctypes.byref(config), self._functions[name], pointers, None)
        if code:
            driver.check(code)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a step's rows stand, int64 (slots,), and the tables of all positions."""

    positions: Tensor
    cosine: Tensor
    sine: Tensor


@dataclass(frozen=True, eq=False)
class _Scratch:
    """`part` positions belong to a block. float32 (heads, parts, head_dim + 2): what each part of a
    head came to; int32 (slots, key heads), zero between two calls: how many parts have ended."""

    part: int
    partial: Tensor
    ended: Tensor


def _argument(value: Tensor | int | float | None) -> ctypes._SimpleCData:
    if isinstance(value, Tensor):
        return ctypes.c_void_p(value.data_ptr())
    if value is None:
        return ctypes.c_void_p(None)
    return ctypes.c_int(value) if isinstance(value, int) else ctypes.c_float(value)


# ---- NVRTC and the driver, as their headers declare them ------------------------------------


class _DriverError(RuntimeError):
    """The compiler or the driver refused."""


def _compiled(shape: Shape, capability: tuple[int, int]) -> bytes:
    """Machine code for cards of this capability; raises OSError without NVRTC."""
    return _compile(shape, f"sm_{capability[0]}{capability[1]}")


@lru_cache(maxsize=8)
def _compile(shape: Shape, architecture: str) -> bytes:
    nvrtc = _nvrtc()
    options = [
        f"--gpu-architecture={architecture}",
        "--std=c++17",
        f"-DBFLOAT16={int(shape.dtype == torch.bfloat16)}",
        f"-DHEAD_DIM={shape.head_dim}",
        f"-DGROUP={shape.group}",
        f"-DWEIGHT_BITS={shape.bits}",
    ]
    for name, (rows, fetches) in _WARP_WORK[shape.bits].items():
        options += [f"-DROWS_{name.upper()}={rows}", f"-DFETCHES_{name.upper()}={fetches}"]

    def check(code: int) -> None:
        if code:
            raise _DriverError(f"NVRTC gave error {code}")

    program = ctypes.c_void_p()
    source = _SOURCE.read_bytes()
    check(nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None))
    try:
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        code = nvrtc.nvrtcCompileProgram(program, len(options), given)
        size = ctypes.c_size_t()
        if code:
            check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
            told = ctypes.create_string_buffer(size.value)
            check(nvrtc.nvrtcGetProgramLog(program, told))
            raise _DriverError(f"NVRTC for {architecture}: {told.value.decode(errors='replace')}")
        check(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
        binary = ctypes.create_string_buffer(size.value)
        check(nvrtc.nvrtcGetCUBIN(program, binary))
        return binary.raw
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _nvrtc() -> ctypes.CDLL:
    """As torch names it, which has loaded it or knows where it lies."""
    major = (torch.version.cuda or "").split(".")[0]
    name = f"nvrtc64_{major}0_0.dll" if sys.platform == "win32" else f"libnvrtc.so.{major}"
    return ctypes.CDLL(name)


_PROGRAMMATIC_SERIALIZATION = 6  # CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION


class _Attribute(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("_padding", ctypes.c_char * 4),
        ("value", ctypes.c_int),
        ("_rest", ctypes.c_char * 60),
    )

    def __init__(self, kind: int, value: int):
        super().__init__(kind=kind, value=value)


class _Config(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("attribute_count", ctypes.c_uint),
    )

    def __init__(self, attributes: ctypes._Pointer[_Attribute], attribute_count: int):
        super().__init__(attributes=attributes, attribute_count=attribute_count)
        self.block[:] = (1, 1, 1)


@lru_cache(maxsize=1)
def _driver() -> _Driver:
    return _Driver()


class _Driver:
    """The driver's library; raises OSError where there is none, and _DriverError if it is too old
    to be asked for launches with attributes (before CUDA 11.8)."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        try:
            self.launch = self.library.cuLaunchKernelEx
        except AttributeError as error:
            raise _DriverError("the driver is too old") from error
        self.launch.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

    def check(self, code: int) -> None:
        if code:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(code, ctypes.byref(text))
            raise _DriverError((text.value or b"an unknown error").decode())
