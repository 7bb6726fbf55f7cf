"""The CUDA driver, called through ctypes: loads machine code and launches kernels."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import lru_cache

_PROGRAMMATIC_SERIALIZATION = 6  # CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION


class DriverError(RuntimeError):
    """The driver refused a call, or is too old; the message says why."""


class LaunchAttribute(ctypes.Structure):
    """CUlaunchAttribute."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("_padding", ctypes.c_char * 4),
        ("value", ctypes.c_int),
        ("_rest", ctypes.c_char * 60),
    )

    @staticmethod
    def programmatic_launch() -> LaunchAttribute:
        """Lets a kernel start before the previous one of its stream has ended."""
        return LaunchAttribute(kind=_PROGRAMMATIC_SERIALIZATION, value=1)


class LaunchConfig(ctypes.Structure):
    """CUlaunchConfig; the block is (1, 1, 1) at first."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(LaunchAttribute)),
        ("attribute_count", ctypes.c_uint),
    )

    def __init__(self, attributes: ctypes._Pointer[LaunchAttribute], attribute_count: int):
        super().__init__(attributes=attributes, attribute_count=attribute_count)
        self.block[:] = (1, 1, 1)


@lru_cache(maxsize=1)
def cuda_driver() -> Driver:
    """The driver of this computer. Raises as `Driver` does."""
    return Driver()


class Driver:
    """The driver's library.

    Raises OSError where there is none, and DriverError if it is older than CUDA 11.8, whose first
    driver has launches with attributes.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        try:
            self.launch = self._library.cuLaunchKernelEx
        except AttributeError as error:
            raise DriverError("the driver is too old") from error
        self.launch.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)

    @property
    def version(self) -> int:
        """The newest CUDA version that the driver supports, as 1000 × major + 10 × minor."""
        version = ctypes.c_int()
        self.check(self._library.cuDriverGetVersion(ctypes.byref(version)))
        return version.value

    def load(self, cubin: bytes, names: Sequence[str]) -> dict[str, ctypes.c_void_p]:
        """Loads machine code into the current context, for good; returns its kernels by name.

        Raises DriverError if the code is not for this GPU or lacks one of `names`.
        """
        module = ctypes.c_void_p()
        self.check(self._library.cuModuleLoadData(ctypes.byref(module), cubin))
        functions: dict[str, ctypes.c_void_p] = {}
        for name in names:
            function = ctypes.c_void_p()
            self.check(
                self._library.cuModuleGetFunction(ctypes.byref(function), module, name.encode())
            )
            functions[name] = function
        return functions

    def check(self, code: int) -> None:
        """Raises DriverError if a call returned anything but success."""
        if code:
            text = ctypes.c_char_p()
            self._library.cuGetErrorString(code, ctypes.byref(text))
            raise DriverError((text.value or b"an unknown error").decode())
