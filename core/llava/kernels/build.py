"""The `.cu` sources of this folder become machine code for one model and one kind of GPU.

Each source is compiled by itself, all at the same time in threads, and kept in the cache folder.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch

from core.llava.kernels.cubin_cache import CubinCache, cubin_key, default_cache
from core.llava.kernels.driver import cuda_driver
from core.llava.kernels.gemv import GemvTuning, gemv_tuning
from core.llava.kernels.nvrtc import Compiler, Nvrtc
from core.llava.kernels.shape import (
    KernelShape,
    has_float8,
    has_skinny,
    multiplies_cache,
    row_chunks,
    row_threads,
)

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
SKINNY_STEPS = (8, 32)
"""The skinny matmul is compiled for multiples of so many rows of activations."""


@dataclass(frozen=True)
class KernelBuild:
    """Machine code by source file, for models of `shape`.

    NVRTC compiled the sources in `compiled`; the others came from the cache.
    """

    shape: KernelShape
    tuning: GemvTuning
    cubins: Mapping[str, bytes]
    compiled: frozenset[str]
    seconds: float


def kernel_names(shape: KernelShape, capability: tuple[int, int]) -> dict[str, tuple[str, ...]]:
    """The sources that a model of `shape` needs, and the kernels in each."""
    # Those that take longest to compile are first, so that no thread has one left at the end.
    names: dict[str, tuple[str, ...]] = {
        "gemv.cu": ("norm_gemv", "gemv_add", "norm_gemv_gated", "norm_gemv_logits")
    }
    if has_skinny(shape, capability):
        # The output head has integers of 8 bits whatever the layers have.
        is_like_head = shape.bits == 8 and not shape.is_float8
        kinds = ("skinny",) if is_like_head else ("skinny", "skinny_head")
        names["skinny.cu"] = tuple(f"{kind}_{rows}" for kind in kinds for rows in SKINNY_STEPS)
    names |= {
        "norms.cu": ("add_rms_norm", "add_layer_norm"),
        "activation.cu": ("silu_and_mul", "quick_gelu"),
        "rotary.cu": ("rope_and_cache",),
        "next_token.cu": ("next_token",),
        "resize.cu": ("resize_across", "resize_down"),
    }
    if multiplies_cache(shape, capability):
        names["attention_int8.cu"] = ("decode_attention_int8",)
    else:
        names["attention.cu"] = ("decode_attention",)
    if shape.bits < 16 and not shape.is_float8:
        names["dequantize.cu"] = ("dequantize",)
    if has_float8(shape, capability):
        names["norms.cu"] += ("add_rms_norm_e4m3", "round_to_e4m3")
        names["activation.cu"] += ("silu_and_mul_e4m3",)
        if not shape.is_float8:
            names["dequantize.cu"] += ("dequantize_e4m3",)
    return names


def build_kernels(
    shape: KernelShape,
    capability: tuple[int, int],
    tuning: GemvTuning,
    compiler: Compiler,
    *,
    cache: CubinCache | None = None,
    driver_version: int = 0,
) -> KernelBuild:
    """The kernels for models of `shape` on GPUs of this compute capability.

    Reads from `cache` what it has, and compiles and keeps the rest. Raises as `compiler.compile`.
    """
    started = time.perf_counter()
    headers = {path.name: path.read_bytes() for path in sorted(_FOLDER.glob("*.cuh"))}
    options = kernel_options(shape, capability, tuning)
    described = [*options, compiler.version, str(driver_version)]
    compiled: set[str] = set()

    def cubin_of(name: str) -> bytes:
        source = (_FOLDER / name).read_bytes()
        parts = [source, *headers.values(), *(text.encode() for text in described)]
        key = cubin_key(name, parts)
        cubin = cache.read(key) if cache is not None else None
        if cubin is None:
            cubin = compiler.compile(name, source, headers, options)
            compiled.add(name)
            if cache is not None:
                cache.write(key, cubin)
        return cubin

    names = list(kernel_names(shape, capability))
    with ThreadPoolExecutor(min(len(names), os.cpu_count() or 1)) as threads:
        cubins = dict(zip(names, threads.map(cubin_of, names), strict=True))
    if compiled and cache is not None:
        cache.remove_old()
    return KernelBuild(shape, tuning, cubins, frozenset(compiled), time.perf_counter() - started)


@lru_cache(maxsize=8)
def installed_kernels(shape: KernelShape, capability: tuple[int, int]) -> KernelBuild:
    """`build_kernels` with this computer's NVRTC, driver and cache folder; kept in memory.

    Raises OSError where NVRTC or the driver is missing, RuntimeError where one of them fails.
    """
    build = build_kernels(
        shape,
        capability,
        gemv_tuning(shape),
        Nvrtc(),
        cache=default_cache(),
        driver_version=cuda_driver().version,
    )
    log.info(
        "CUDA kernels: %d sources compiled, %d read from the cache, in %.2f s.",
        len(build.compiled),
        len(build.cubins) - len(build.compiled),
        build.seconds,
    )
    return build


def try_compiler(capability: tuple[int, int] = (8, 0)) -> float | None:
    """Compiles the kernels of one model for one kind of GPU; returns the seconds that took.

    Returns None where torch is built without CUDA. Needs no GPU and leaves the cache alone, so
    that a package can be tested anywhere. Raises OSError where NVRTC is missing, RuntimeError where
    it fails.
    """
    if torch.version.cuda is None:
        return None
    shape = KernelShape(torch.float16, 4, 4096, 11008, 128, 1)
    return build_kernels(shape, capability, gemv_tuning(shape), Nvrtc()).seconds


def kernel_options(
    shape: KernelShape, capability: tuple[int, int], tuning: GemvTuning
) -> list[str]:
    """The compiler's options, among them what common.cuh and gemv.cu want to be defined."""
    options = [
        f"--gpu-architecture=sm_{capability[0]}{capability[1]}",
        "--std=c++17",
        f"-DBFLOAT16={int(shape.dtype == torch.bfloat16)}",
        f"-DHEAD_DIM={shape.head_dim}",
        f"-DGROUP={shape.group}",
        f"-DHAS_BIAS={int(shape.has_bias)}",
        f"-DCACHE_BITS={shape.cache_bits}",
        f"-DNORM_THREADS={row_threads(shape.hidden)}",
        f"-DGATED_THREADS={row_threads(shape.inner)}",
        f"-DGATED_CHUNKS={row_chunks(shape.inner)}",
        f"-DWEIGHTS={'E4M3' if shape.is_float8 else shape.bits}",
    ]
    for name, work in asdict(tuning).items():
        options += [f"-DROWS_{name.upper()}={work['rows']}"]
        options += [f"-DLOADS_{name.upper()}={work['loads']}"]
    return options
