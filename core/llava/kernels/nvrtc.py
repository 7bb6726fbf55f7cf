"""NVRTC, NVIDIA's runtime compiler for CUDA, called through ctypes as its header declares it."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

import torch


class CompileError(RuntimeError):
    """NVRTC refused a source; the message is its log."""


class Compiler(Protocol):
    """What `build` needs of NVRTC."""

    @property
    def version(self) -> str:
        """The version of NVRTC, major and minor."""
        """The compiler's version: another one may generate other code from the same source."""
        ...

    def compile(
        self, name: str, source: bytes, headers: Mapping[str, bytes], options: Sequence[str]
    ) -> bytes:
        """Returns the CUBIN of `source`; `headers` are found by `#include "name"`."""
        ...


class Nvrtc:
    """The NVRTC library that belongs to torch's CUDA version. Safe to use from several threads.

    Raises OSError where the library is missing, CompileError if it does not know its version.
    """

    def __init__(self) -> None:
        self._library = _library()
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self._version = f"{major.value}.{minor.value}"

    @property
    def version(self) -> str:
        """The version of NVRTC, major and minor."""
        return self._version

    def compile(
        self, name: str, source: bytes, headers: Mapping[str, bytes], options: Sequence[str]
    ) -> bytes:
        """Returns the CUBIN of `source`. Raises CompileError.

        ctypes releases the interpreter lock meanwhile, so that threads compile at the same time.
        """
        nvrtc, program = self._library, ctypes.c_void_p()
        self._check(
            nvrtc.nvrtcCreateProgram(
                ctypes.byref(program),
                source,
                name.encode(),
                len(headers),
                _strings(list(headers.values())),
                _strings([header.encode() for header in headers]),
            )
        )
        try:
            given = _strings([option.encode() for option in options])
            code = nvrtc.nvrtcCompileProgram(program, len(options), given)
            size = ctypes.c_size_t()
            if code:
                self._check(nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
                text = ctypes.create_string_buffer(size.value)
                self._check(nvrtc.nvrtcGetProgramLog(program, text))
                raise CompileError(f"NVRTC on {name}: {text.value.decode(errors='replace')}")
            self._check(nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)))
            binary = ctypes.create_string_buffer(size.value)
            self._check(nvrtc.nvrtcGetCUBIN(program, binary))
            return binary.raw
        finally:
            nvrtc.nvrtcDestroyProgram(ctypes.byref(program))

    @staticmethod
    def _check(code: int) -> None:
        if code:
            raise CompileError(f"NVRTC gave error {code}")


def _strings(values: Sequence[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * len(values))(*values)


def _library() -> ctypes.CDLL:
    """The library under the name that torch uses, which has loaded it or knows where it is."""
    major = (torch.version.cuda or "").split(".")[0]
    name = f"nvrtc64_{major}0_0.dll" if sys.platform == "win32" else f"libnvrtc.so.{major}"
    return ctypes.CDLL(name)
