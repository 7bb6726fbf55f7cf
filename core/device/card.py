"""Whether the installed PyTorch can use the graphics card, and if not, why.

A card may be unusable because this build of PyTorch has no kernels for it, because its driver is
older than the build's CUDA, or because it has no driver. For each there is a message that says what
to do; until then models run on the CPU.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from core.message import translatable

_PCI = Path("/sys/bus/pci/devices")
_NVIDIA, _DISPLAY_CLASS = "0x10de", "0x03"


def card_trouble(index: int = 0) -> str | None:
    """Says why card `index` is unusable. Returns None if it is usable or there is none.

    Initialises CUDA if there is a card, which takes some tenths of a second.
    """
    if torch.version.cuda is None:
        # Whoever installed a build for the CPU wanted one.
        return None
    if not is_cuda_available():
        return driver_trouble(_complaint(), torch.version.cuda, _has_nvidia_card())
    if index >= torch.cuda.device_count():
        return None
    name = torch.cuda.get_device_name(index)
    trouble = kernel_trouble(
        name, torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()
    )
    if trouble:
        return trouble
    try:
        torch.ones(1, device=f"cuda:{index}").add_(1).item()
    except torch.OutOfMemoryError:
        # The card works. Whether a model fits is decided from the model's size.
        return None
    except RuntimeError as error:
        reason = str(error).splitlines()[0].removeprefix("CUDA error: ")
        return translatable(
            "core",
            "The graphics card {name} does not answer ({reason}). Restart the computer.",
        ).format(name=name, reason=reason)
    return None


def is_cuda_available() -> bool:
    """Returns `torch.cuda.is_available()` without its warning; `card_trouble` explains instead."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.cuda.is_available() and torch.cuda.device_count() > 0


def card_count() -> int:
    """Returns how many CUDA cards can be used; takes no memory of theirs."""
    return torch.cuda.device_count() if is_cuda_available() else 0


def _complaint() -> str:
    """Returns PyTorch's error about CUDA. Its warning is no use: it is given only once."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error)
    return ""


def driver_trouble(complaint: str, cuda: str, has_card: bool) -> str | None:
    """Returns the message for a missing or outdated driver; `complaint` is PyTorch's error."""
    if "driver on your system is too old" in complaint:
        return translatable(
            "core",
            "The graphics card's driver is too old for CUDA {cuda}. Install the newest "
            "driver from the card's maker.",
        ).format(cuda=cuda)
    if has_card:
        return translatable(
            "core",
            "The NVIDIA graphics card's driver does not answer. Install the driver "
            "from the card's maker, or restart the computer.",
        )
    return None


def kernel_trouble(
    name: str, capability: tuple[int, int], architectures: Sequence[str]
) -> str | None:
    """Returns the message for a card that none of the build's `architectures` supports.

    Machine code (sm_80 …) runs on cards of the same major version and the same or a later minor
    one. The driver compiles PTX (compute_80 …) for every later card.
    """
    major, minor = capability
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = re.match(r"\d+", number)
        if not digits:
            continue
        made_for = divmod(int(digits[0]), 10)
        if kind == "sm" and made_for[0] == major and made_for[1] <= minor:
            return None
        if kind == "compute" and made_for <= capability:
            return None
    return translatable(
        "core",
        "This Onlooker does not support the graphics card {name} (compute "
        "capability {capability}). Install a build for that card.",
    ).format(name=name, capability=f"{major}.{minor}")


def _has_nvidia_card() -> bool:
    """Whether the PCI bus has an NVIDIA display device. Always False except on Linux."""
    if sys.platform != "linux" or not _PCI.is_dir():
        return False
    for device in _PCI.iterdir():
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:
            continue
        if vendor == _NVIDIA and kind.startswith(_DISPLAY_CLASS):
            return True
    return False
