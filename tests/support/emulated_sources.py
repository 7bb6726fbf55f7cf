"""Kernels compiled as C++, to be run without a graphics card.

`emulated_gpu.h` stands in for CUDA. What is written in PTX is replaced by what the manual says it
does: the sources are otherwise those that NVRTC compiles.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

import core.llava.kernels
from core.llava.kernels.build import kernel_options
from core.llava.kernels.gemv import gemv_tuning
from core.llava.kernels.shape import KernelShape

_SOURCES = Path(core.llava.kernels.__file__).parent
_HEADER = Path(__file__).with_name("emulated_gpu.h")

# Functions with PTX, and what they do.
_IN_PTX = {
    "float to_float(u16 x)": (
        "static float to_float(u16 x) {"
        " return BFLOAT16 ? __uint_as_float((u32)x << 16) : (float)from_float16(x); }"
    ),
    "u16 to_half(float x)": (
        "static u16 to_half(float x) {"
        " return BFLOAT16 ? rounded_to_bfloat16(x) : rounded_to_float16(x); }"
    ),
    "float scale_to_float(u16 x)": (
        "static float scale_to_float(u16 x) { return (float)from_float16(x); }"
    ),
    "void unpack_e4m3(u32 four, u32& low, u32& high)": "",
    "void unpack_e4m3(u32 four, float* out)": (
        "static void unpack_e4m3(u32 four, float* out) {"
        " for (int i = 0; i < 4; i++) out[i] = (float)from_e4m3(four >> 8 * i & 255); }"
    ),
    "u32 pack_e4m3(const float* four)": (
        "static u32 pack_e4m3(const float* four) {"
        " u32 y = 0;"
        " for (int i = 0; i < 4; i++) y |= (u32)rounded_to_e4m3(four[i]) << 8 * i;"
        " return y; }"
    ),
    "uint4 read_once(const void* address)": (
        "static uint4 read_once(const void* address) { return *(const uint4*)address; }"
    ),
    "void multiply(int* c, const u32* a, u32 b0, u32 b1)": (
        "static void multiply(int* c, const u32* a, u32 b0, u32 b1) {"
        " multiply_integers(c, a, b0, b1); }"
    ),
    "u32 pack_float16(float low, float high)": (
        "static u32 pack_float16(float low, float high) {"
        " return rounded_to_float16(low) | (u32)rounded_to_float16(high) << 16; }"
    ),
    "u32 multiply_add_float16(u32 a, u32 b, u32 c)": (
        "static u32 multiply_add_float16(u32 a, u32 b, u32 c) {"
        " u32 y = 0;"
        " for (int i = 0; i < 32; i += 16)"
        "  y |= (u32)rounded_to_float16(from_float16(a >> i) * from_float16(b >> i)"
        "                               + from_float16(c >> i)) << i;"
        " return y; }"
    ),
}


def compiled(
    folder: Path,
    shape: KernelShape,
    capability: tuple[int, int],
    sources: Sequence[str],
    calls: str,
) -> ctypes.CDLL:
    """The kernels of `sources` for models of `shape`, with `calls`, C++ functions that run them.

    The library is written to `folder`. Skips the test where there is no C++ compiler, and on other
    systems than Linux.
    """
    if sys.platform != "linux":
        pytest.skip("threads that take turns are only there on Linux")
    options = kernel_options(shape, capability, gemv_tuning(shape))
    defined = [option for option in options if option.startswith("-D")]
    source = folder / f"{len(list(folder.iterdir()))}.cpp"
    source.write_text(_translated(sources, calls), encoding="utf-8")
    library = source.with_suffix(".so")
    command = ["c++", "-std=c++17", "-O2", "-fno-strict-aliasing", "-w", "-shared", "-fPIC"]
    # An index outside an array ends the process: what lies behind it need not matter to a test.
    command += ["-fsanitize=bounds", "-fsanitize-undefined-trap-on-error"]
    major, minor = capability
    command += [*defined, f"-D__CUDA_ARCH__={major}{minor}0", "-o", str(library), str(source)]
    try:
        subprocess.run(command, check=True, timeout=120)
    except FileNotFoundError:
        pytest.skip("there is no C++ compiler (on Debian: apt-get install g++)")
    return ctypes.CDLL(str(library))


def address(tensor: Tensor | None) -> int | None:
    """Where the tensor's numbers are, which are not kept alive."""
    return None if tensor is None else tensor.data_ptr()


def _translated(names: Sequence[str], calls: str) -> str:
    """The sources with their headers as one, in C++."""
    seen: set[str] = set()

    def whole(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        text = (_SOURCES / name).read_text(encoding="utf-8").replace("#pragma once", "")
        return re.sub(r'#include "(.+?)"', lambda found: whole(found[1]), text)

    text = "".join(map(whole, names))
    for declared, instead in _IN_PTX.items():
        begin = text.find(declared)
        if begin >= 0:
            begin, end = text.rindex("\n", 0, begin), text.index("\n}\n", begin)
            text = f"{text[:begin]}\n{instead}\n{text[end + 3 :]}"
    return f"{_HEADER.read_text(encoding='utf-8')}\n{text}\n{calls}"
