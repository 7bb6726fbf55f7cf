"""Where a model computes, in which precision, and whether it fits there."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.device.card import card_trouble, is_cuda_available
from core.device.float8 import has_float8
from core.device.memory import PRECISIONS, free_memory, memory_need, precision_that_fits
from core.errors import CheckpointError, OutOfMemory
from core.formatting import format_bytes
from core.message import joined, translatable
from core.transcript import Precision, WeightFormat

# The memory of a model by that of its weights: the KV cache and the activations come on top.
_OVERHEAD = 1.1

_DTYPES = {
    Precision.FLOAT16: torch.float16,
    Precision.BFLOAT16: torch.bfloat16,
    Precision.FLOAT32: torch.float32,
}


def choose_device(name: str) -> torch.device:
    """Returns the device for "auto", "cpu", "cuda" or "cuda:N"; CheckpointError if there is none.

    "auto" is the CPU if the GPU cannot be used; `device_note` then says why.
    """
    if name == "auto":
        name = "cuda" if is_cuda_available() and not card_trouble() else "cpu"
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” is not a device. Choose auto, cpu, cuda or cuda:0.",
            ).format(name=name)
        )
    if not is_cuda_available():
        raise CheckpointError(card_trouble() or _no_card())
    if int(number or 0) >= torch.cuda.device_count():
        raise CheckpointError(
            translatable(
                "core",
                "There is no graphics card {name}. Choose a number from 0 to {last}.",
            ).format(name=name, last=torch.cuda.device_count() - 1)
        )
    if trouble := card_trouble(int(number or 0)):
        raise CheckpointError(trouble)
    return torch.device("cuda", int(number or 0))


def _no_card() -> str:
    if torch.version.cuda is not None:
        return translatable(
            "core",
            "There is no CUDA graphics card, or no driver for it. Choose the processor, "
            "or install the card's driver.",
        )
    if getattr(sys, "frozen", False):
        return translatable(
            "core",
            "This Onlooker runs on the processor only. Choose the processor, or install "
            "the Onlooker for CUDA.",
        )
    return translatable(
        "core",
        "This PyTorch runs on the processor only. Choose the processor, or install "
        "the PyTorch for CUDA.",
    )


def device_note(name: str) -> str | None:
    """Why "auto" is the CPU although there is a GPU; None if it is not."""
    trouble = card_trouble() if name == "auto" else None
    if trouble is None:
        return None
    return joined(trouble, translatable("core", "Until then, the processor is used."))


def precision_of(dtype: torch.dtype, kind: WeightFormat | None) -> Precision:
    """Returns what `EngineFacts` names: the format of quantized matrices, else the dtype."""
    return Precision(str(dtype).removeprefix("torch.") if kind is None else kind)


def lower_precision(precision: Precision) -> Precision | None:
    """Returns the next of `PRECISIONS` below a precision or dtype, None below the last."""
    match precision:
        case Precision.BITS_4:
            return None
        case Precision.BITS_8 | Precision.FP8:
            return Precision.BITS_4
    return Precision.BITS_8


def choose_dtype(precision: Precision, device: torch.device, parameters: int) -> torch.dtype:
    """Returns the dtype in which a model of `parameters` parameters computes on `device`.

    Raises CheckpointError for a precision that the device does not compute in.

    By itself on CUDA it is float16, as LLaVA-1.5 was published. On a processor, bfloat16 where it
    multiplies matrices of bfloat16 itself (AMX), else float32, unless only bfloat16 fits. The
    rule is fixed, not timed at each start, so that a greedy answer stays the same. Measured per
    2048 × 2048 matrix on one core of a Xeon: 625 rows take 32 ms in float32, 5 ms in bfloat16
    with AMX and 54 to 151 ms without; one row takes 0.6 ms in float32, 0.3 to 0.6 ms in bfloat16.
    """
    if precision not in list(Precision):
        raise CheckpointError(
            translatable(
                "core",
                "“{precision}” is not a precision. Choose {known}.",
            ).format(precision=precision, known=", ".join(Precision))
        )
    if precision == Precision.FP8 and not has_float8(device):
        raise CheckpointError(
            translatable(
                "core",
                "FP8 needs a graphics card of compute capability 8.9 or newer. Choose 8-bit.",
            )
        )
    if precision == Precision.BITS_16:
        return torch.float16 if device.type == "cuda" else torch.bfloat16
    if precision in _DTYPES:
        if precision == Precision.FLOAT16 and device.type == "cpu":
            raise CheckpointError(
                translatable(
                    "core",
                    "float16 is far too slow on a processor. Choose bfloat16 or float32.",
                )
            )
        return _DTYPES[precision]
    if device.type == "cuda":
        return torch.float16
    free = free_memory(str(device))
    fits = free is None or free >= parameters * (precision.weight_bits or 32) / 8 * _OVERHEAD
    return torch.float32 if fits and not _multiplies_bfloat16() else torch.bfloat16


def _multiplies_bfloat16() -> bool:
    """Whether the CPU has AMX. False if torch does not say: float32 is right everywhere."""
    if public := getattr(torch.cpu, "get_capabilities", None):
        return bool(public().get("amx_tile"))
    private = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(private and private())


def require_fit(
    settings: Mapping[str, Any], precision: Precision, device: torch.device, parameters: int
) -> None:
    """Raises OutOfMemory if a model of these settings and one answer do not fit on `device`.

    The error names the one of `core.device.memory.PRECISIONS` in which it would fit, if any.
    """
    free = free_memory(str(device))
    how: dict[str, Any] = {"device": device.type, "parameters": parameters}
    need = memory_need(settings, precision, **how).total
    if free is None or need <= free:
        return
    of_its_bits = Precision.BITS_8 if precision is Precision.FP8 else precision
    first = PRECISIONS.index(of_its_bits) + 1 if of_its_bits in PRECISIONS else 0
    lower = PRECISIONS[first:]
    other = precision_that_fits(settings, free, precisions=lower, **how)
    action = _close_or_choose(device)
    if other is not None:
        needs = memory_need(settings, other, **how).total
        text = translatable("core", "Load it in {precision}, which needs {size}.")
        action = text.format(precision=str(other), size=format_bytes(needs))
    text = translatable(
        "core",
        "In {precision}, this model needs {size} of memory on {device}, where {free} "
        "is free. {action}",
    )
    raise OutOfMemory(
        text.format(
            precision=str(precision),
            size=format_bytes(need),
            device=_spoken(device),
            free=format_bytes(free),
            action=action,
        ),
        other,
    )


def _close_or_choose(device: torch.device) -> str:
    if device.type == "cuda":
        return translatable("core", "Close other programs, or choose the processor.")
    return translatable("core", "Close other programs, or choose a smaller model.")


def require_memory(size: int, device: torch.device) -> None:
    """Raises OutOfMemory if weights of `size` bytes and one answer do not fit on `device`."""
    free, needed = free_memory(str(device)), size * _OVERHEAD
    if free is not None and needed > free:
        text = translatable(
            "core", "This model needs {size} of memory on {device}, where {free} is free. {action}"
        )
        raise OutOfMemory(
            text.format(
                size=format_bytes(round(needed)),
                device=_spoken(device),
                free=format_bytes(free),
                action=_close_or_choose(device),
            )
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is one of those that torch raises when memory is used up."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError)
        # By the CPU's allocator: on Linux and macOS, and on Windows.
        and any(text in str(error) for text in ("can't allocate memory", "not enough memory"))
    )


def out_of_memory(
    device: torch.device, failure: BaseException | None = None, lower: Precision | None = None
) -> OutOfMemory:
    """The error for memory that is used up; how much was needed is read from `failure`.

    `lower` is the one of `core.device.memory.PRECISIONS` in which to load the model instead.
    """
    wanted = _bytes_wanted(failure)
    free = free_memory(str(device))
    text = translatable("core", "{device} is out of memory. {action}")
    if wanted and free is not None:
        text = translatable(
            "core", "{device} is out of memory ({size} needed, {free} free). {action}"
        )
    elif wanted:
        text = translatable("core", "{device} is out of memory ({size} needed). {action}")
    elif free is not None:
        text = translatable("core", "{device} is out of memory ({free} free). {action}")
    action = translatable(
        "core", "Close other programs, or ask for a shorter answer with fewer beams."
    )
    if lower is not None:
        action = translatable(
            "core", "Close other programs, or load the model in {precision}."
        ).format(precision=str(lower))
    return OutOfMemory(
        text.format(
            device=_at_the_start(device),
            size=format_bytes(wanted or 0),
            free=format_bytes(free or 0),
            action=action,
        ),
        lower,
    )


# CUDA's allocator says "20.00 MiB", the CPU's "20971520 bytes".
_WANTED = re.compile(r"[Tt]ried to allocate ([\d.]+) (bytes|[KMGT]iB)")
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def _bytes_wanted(failure: BaseException | None) -> int | None:
    """Returns how much torch tried to allocate, None if `failure` does not say."""
    wanted = _WANTED.search(str(failure or ""))
    return round(float(wanted[1]) * _UNITS[wanted[2]]) if wanted else None


def _at_the_start(device: torch.device) -> str:
    if device.type == "cuda":
        return translatable("core", "The graphics card")
    return translatable("core", "This computer")


def _spoken(device: torch.device) -> str:
    return (
        translatable("core", "the graphics card")
        if device.type == "cuda"
        else translatable("core", "this computer")
    )


def device_name(device: torch.device) -> str:
    """The name of the GPU or CPU as its maker writes it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _processor_name() or platform.processor() or platform.machine()


def _processor_name() -> str:
    table = Path("/proc/cpuinfo")
    if os.name != "posix" or not table.is_file():
        return ""
    names = [line for line in table.read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else ""
