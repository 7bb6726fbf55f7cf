"""The work of the trial's child process: the pack's PyTorch is imported and computes on the card.

The message of a TrialFailed is the reason that the user reads.
"""

from __future__ import annotations

import compileall
import py_compile
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.message import translatable

_SIZE = 64
_LONGEST_REASON = 300


class TrialFailed(Exception):
    """PyTorch cannot be used, with a sentence that says why."""


def answer(request: dict[str, Any], note_stage: Callable[[str], None]) -> dict[str, Any]:
    """Returns the name of the card that PyTorch from `folder` computed on. Raises TrialFailed."""
    folder = Path(request["folder"])
    note_stage("compiling")
    _compile(folder)
    note_stage("importing")
    torch = _imported(folder, request["torch"], request["cuda"])
    note_stage("computing")
    index = _working_card(torch)
    note_stage("kernels")
    _compile_kernels(torch, index)
    return {"card": str(torch.cuda.get_device_name(index))}


def _compile(folder: Path) -> None:
    """Writes bytecode beside the modules: the packaged program writes none when it imports them.

    It is not compared with its source at each import, since nobody changes a pack.
    """
    compileall.compile_dir(
        folder,
        quiet=2,
        maxlevels=50,
        workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def _imported(folder: Path, version: str, cuda: str) -> Any:
    sys.path.insert(0, str(folder))
    try:
        import torch
    except Exception as error:
        raise TrialFailed(
            translatable("core", "PyTorch cannot be imported: {reason}.").format(
                reason=_first_line(error)
            )
        ) from error
    if not Path(torch.__file__ or "").absolute().is_relative_to(folder.absolute()):
        raise TrialFailed(translatable("core", "The pack contains no PyTorch."))
    if torch.__version__.partition("+")[0] != version or torch.version.cuda != cuda:
        raise TrialFailed(
            translatable(
                "core",
                "The pack contains PyTorch {found} for CUDA {found_cuda}, and {needed} for CUDA "
                "{needed_cuda} is needed.",
            ).format(
                found=torch.__version__,
                found_cuda=torch.version.cuda,
                needed=version,
                needed_cuda=cuda,
            )
        )
    return torch


def _working_card(torch: Any) -> int:
    """The first card that multiplies two matrices as the processor does."""
    try:
        torch.cuda.init()
        count = torch.cuda.device_count()
    except (RuntimeError, AssertionError) as error:
        raise _cannot_use(_first_line(error)) from error
    reason = translatable("core", "it finds none") if not count else ""
    for index in range(count):
        try:
            on_card = _product(torch, f"cuda:{index}")
        except RuntimeError as error:
            reason = reason or f"{torch.cuda.get_device_name(index)}: {_first_line(error)}"
            continue
        if abs(on_card - _product(torch, "cpu")) < 1.0:
            return index
        reason = reason or translatable("core", "{card} computes wrongly").format(
            card=torch.cuda.get_device_name(index)
        )
    raise _cannot_use(reason)


def _cannot_use(reason: str) -> TrialFailed:
    return TrialFailed(
        translatable("core", "PyTorch cannot use the card: {reason}.").format(reason=reason)
    )


def _product(torch: Any, device: str) -> float:
    matrix = torch.arange(_SIZE * _SIZE, dtype=torch.float32, device=device) / (_SIZE * _SIZE)
    matrix = matrix.reshape(_SIZE, _SIZE)
    return float((matrix @ matrix).sum().item())


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = (lines or [type(error).__name__])[0].rstrip(".")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def _compile_kernels(torch: Any, index: int) -> None:
    from core.llava.kernels.shape import MINIMUM_CAPABILITY

    capability = torch.cuda.get_device_capability(index)
    if capability < MINIMUM_CAPABILITY:
        return  # torch's own operations do the same work there.

    from core.llava.kernels.build import try_compiler

    try:
        try_compiler(capability)
    except (OSError, RuntimeError) as error:
        raise TrialFailed(
            translatable("core", "The kernels cannot be compiled: {reason}.").format(
                reason=_first_line(error)
            )
        ) from error
