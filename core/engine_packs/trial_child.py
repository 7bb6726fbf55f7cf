"""The work of the trial's child process: the pack's PyTorch is imported and computes on the card.

An exception's message is the reason that the user reads.
"""

from __future__ import annotations

import compileall
import py_compile
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SIZE = 64


def answer(request: dict[str, Any], note_stage: Callable[[str], None]) -> dict[str, Any]:
    """Returns the name of the card that PyTorch from `folder` computed on. Raises RuntimeError."""
    folder = Path(request["folder"])
    note_stage("compiling its modules")
    _compile(folder)
    note_stage("importing PyTorch")
    torch = _imported(folder, request["torch"], request["cuda"])
    note_stage("computing on the card")
    index = _working_card(torch)
    note_stage("compiling the kernels")
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
        raise RuntimeError(f"PyTorch cannot be imported: {error}") from error
    if not Path(torch.__file__ or "").absolute().is_relative_to(folder.absolute()):
        raise RuntimeError("The pack holds no PyTorch.")
    if torch.__version__.partition("+")[0] != version or torch.version.cuda != cuda:
        raise RuntimeError(
            f"The pack holds PyTorch {torch.__version__} for CUDA {torch.version.cuda}, and "
            f"{version} for CUDA {cuda} is needed."
        )
    return torch


def _working_card(torch: Any) -> int:
    """The first card that multiplies two matrices as the processor does."""
    reason = ""
    try:
        torch.cuda.init()
        count = torch.cuda.device_count()
    except (RuntimeError, AssertionError) as error:
        raise RuntimeError(f"PyTorch cannot use the card: {_first_line(error)}") from error
    for index in range(count):
        try:
            on_card = _product(torch, f"cuda:{index}")
        except RuntimeError as error:
            reason = reason or f"{torch.cuda.get_device_name(index)}: {_first_line(error)}"
            continue
        if abs(on_card - _product(torch, "cpu")) < 1.0:
            return index
        reason = reason or f"{torch.cuda.get_device_name(index)} computes wrongly"
    raise RuntimeError(f"PyTorch cannot use the card: {reason or 'it finds none'}.")


def _product(torch: Any, device: str) -> float:
    matrix = torch.arange(_SIZE * _SIZE, dtype=torch.float32, device=device) / (_SIZE * _SIZE)
    matrix = matrix.reshape(_SIZE, _SIZE)
    return float((matrix @ matrix).sum().item())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _compile_kernels(torch: Any, index: int) -> None:
    from core.llava.kernels.shape import MINIMUM_CAPABILITY

    capability = torch.cuda.get_device_capability(index)
    if capability < MINIMUM_CAPABILITY:
        return  # torch's own operations do the same work there.

    from core.llava.kernels.build import try_compiler

    try:
        try_compiler(capability)
    except (OSError, RuntimeError) as error:
        raise RuntimeError(f"The kernels cannot be compiled: {_first_line(error)}.") from error
