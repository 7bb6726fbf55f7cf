"""Which graphics cards this computer has, and what NVIDIA's driver can run; without torch.

NVML is asked, which does not wake CUDA, and the CUDA driver where there is no NVML. A driver that
hangs keeps a thread of its own, not the caller. Cards of other makers are read from the system's
list of devices.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.engine_packs.choice import cuda_version

# Constants, since PyInstaller packages a library that a call names literally, and these belong to
# the graphics card's driver.
_NVML = {"linux": "libnvidia-ml.so.1", "win32": "nvml.dll"}
_CUDA = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_TEXT_BYTES = 256
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
_CLOCK_KHZ, _BUS_WIDTH = 36, 37  # …_MEMORY_CLOCK_RATE, …_GLOBAL_MEMORY_BUS_WIDTH
_NVML_CLOCK_MEMORY = 2
_PCI = Path("/sys/bus/pci/devices")
_DISPLAY_CLASS = "0x03"
_DISPLAY_KEY = (
    r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"  # Displays.
)


class Maker(StrEnum):
    """Who made a graphics card."""

    NVIDIA = "NVIDIA"
    AMD = "AMD"
    INTEL = "Intel"
    APPLE = "Apple"


_VENDORS = {"0x10de": Maker.NVIDIA, "0x1002": Maker.AMD, "0x8086": Maker.INTEL}


@dataclass(frozen=True)
class NvidiaCard:
    """A card that NVIDIA's driver shows; `memory` in bytes, `capability` as (9, 0).

    `bandwidth` is how many bytes a second its memory can move by its data sheet, 0 if unknown.
    """

    name: str
    memory: int
    capability: tuple[int, int]
    bandwidth: int = 0


@dataclass(frozen=True)
class Graphics:
    """What was found. `driver_cuda` is the CUDA version that the driver supports, () without one.

    `driver` is the driver's own version, "" where it does not say. `makers` are those of all cards,
    also of cards without a driver. `is_hanging` means that the driver did not answer in time.
    """

    cards: tuple[NvidiaCard, ...] = ()
    driver_cuda: tuple[int, ...] = ()
    driver: str = ""
    makers: frozenset[Maker] = frozenset()
    is_hanging: bool = False


def ask_graphics(timeout_seconds: float = 10.0, pci: Path = _PCI) -> Graphics:
    """Asks the drivers; takes some hundredths of a second as a rule, `timeout_seconds` at most."""
    makers = _makers(pci)
    answers: list[Graphics] = []
    # Not a pool: at its end the program would wait for the thread.
    thread = threading.Thread(
        target=lambda: answers.append(_ask_nvidia(makers)), name="driver", daemon=True
    )
    thread.start()
    thread.join(timeout_seconds)
    return answers[0] if answers else Graphics(makers=makers, is_hanging=True)


def _ask_nvidia(makers: frozenset[Maker]) -> Graphics:
    for names, ask in ((_NVML, _ask_nvml), (_CUDA, _ask_cuda)):
        name = names.get(sys.platform)
        # The library, or a function of it, may be missing; and the driver may answer anything.
        with suppress(OSError, AttributeError, _Failed, ValueError):
            if name:
                found = ask(ctypes.CDLL(name))
                nvidia = frozenset({Maker.NVIDIA}) if found.cards else frozenset[Maker]()
                return Graphics(found.cards, found.driver_cuda, found.driver, makers | nvidia)
    return Graphics(makers=makers)


class _Failed(Exception):
    """The driver refused a call."""


def _check(code: int) -> None:
    if code:
        raise _Failed(code)


def _number_from(call: Callable[..., int], *arguments: Any) -> int:
    value = ctypes.c_int()
    _check(call(*arguments, ctypes.byref(value)))
    return value.value


def _ask_nvml(nvml: ctypes.CDLL) -> Graphics:
    _check(nvml.nvmlInit_v2())
    try:
        cuda = cuda_version(_number_from(nvml.nvmlSystemGetCudaDriverVersion_v2)) or ()
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        _check(nvml.nvmlSystemGetDriverVersion(text, _TEXT_BYTES))
        driver = text.value.decode(errors="replace")
        count = _number_from(nvml.nvmlDeviceGetCount_v2)
        cards = tuple(_nvml_card(nvml, index) for index in range(count))
        return Graphics(cards, cuda, driver)
    finally:
        nvml.nvmlShutdown()


def _nvml_card(nvml: ctypes.CDLL, index: int) -> NvidiaCard:
    device = ctypes.c_void_p()
    _check(nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(device)))
    name = ctypes.create_string_buffer(_TEXT_BYTES)
    _check(nvml.nvmlDeviceGetName(device, name, _TEXT_BYTES))
    memory = (ctypes.c_ulonglong * 3)()  # nvmlMemory_t: total, free, used.
    _check(nvml.nvmlDeviceGetMemoryInfo(device, memory))
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(
        nvml.nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor))
    )
    shown = name.value.decode(errors="replace")
    bandwidth = 0
    with suppress(AttributeError, _Failed):
        width = _number_from(nvml.nvmlDeviceGetMemoryBusWidth, device)
        clock = _number_from(nvml.nvmlDeviceGetMaxClockInfo, device, _NVML_CLOCK_MEMORY)
        bandwidth = _bandwidth(clock * 10**6, width)
    return NvidiaCard(shown, int(memory[0]), (major.value, minor.value), bandwidth)


def _bandwidth(clock: int, width: int) -> int:
    """Bytes a second of a memory with so many Hz and bits; all kinds move two bits a cycle."""
    return 2 * max(0, clock) * max(0, width) // 8


def _ask_cuda(cuda: ctypes.CDLL) -> Graphics:
    version = cuda_version(_number_from(cuda.cuDriverGetVersion)) or ()
    if cuda.cuInit(0):
        return Graphics(driver_cuda=version)
    count = ctypes.c_int()
    _check(cuda.cuDeviceGetCount(ctypes.byref(count)))
    return Graphics(tuple(_cuda_card(cuda, index) for index in range(count.value)), version)


def _cuda_card(cuda: ctypes.CDLL, index: int) -> NvidiaCard:
    device = ctypes.c_int()
    _check(cuda.cuDeviceGet(ctypes.byref(device), index))
    name = ctypes.create_string_buffer(_TEXT_BYTES)
    _check(cuda.cuDeviceGetName(name, _TEXT_BYTES, device))
    memory = ctypes.c_size_t()
    _check(cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device))

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        _check(cuda.cuDeviceGetAttribute(ctypes.byref(value), number, device))
        return value.value

    bandwidth = 0
    with suppress(_Failed):
        bandwidth = _bandwidth(attribute(_CLOCK_KHZ) * 1000, attribute(_BUS_WIDTH))
    capability = attribute(_CAPABILITY_MAJOR), attribute(_CAPABILITY_MINOR)
    shown = name.value.decode(errors="replace")
    return NvidiaCard(shown, memory.value, capability, bandwidth)


def _makers(pci: Path) -> frozenset[Maker]:
    """Whose graphics cards the system lists; empty where it cannot be asked."""
    found: set[Maker] = set()
    with suppress(OSError):
        if sys.platform == "darwin":
            found = {Maker.APPLE if os.uname().machine == "arm64" else Maker.AMD}
        elif sys.platform == "win32":
            found = _makers_of_windows()
        else:
            found = {maker for device in pci.iterdir() if (maker := _maker_of(device))}
    return frozenset(found)


def _maker_of(device: Path) -> Maker | None:
    with suppress(OSError):
        if (device / "class").read_text().startswith(_DISPLAY_CLASS):
            return _VENDORS.get((device / "vendor").read_text().strip())
    return None


def _makers_of_windows() -> set[Maker]:
    found: set[Maker] = set()
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _DISPLAY_KEY) as displays:
            for number in range(32):
                with suppress(OSError), winreg.OpenKey(displays, f"{number:04}") as display:
                    provider = str(winreg.QueryValueEx(display, "ProviderName")[0])
                    names = {"nvidia": Maker.NVIDIA, "advanced micro": Maker.AMD}
                    names |= {"amd": Maker.AMD, "intel": Maker.INTEL}
                    found |= {m for word, m in names.items() if word in provider.lower()}
    return found
