"""Imports torch and opens an engine. Takes seconds, so that only the model thread may do it."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from core.errors import CheckpointError
from core.model_reference import server_model
from core.remote.address import is_this_machine, require_this_machine
from core.transcript import ModelChoice

if TYPE_CHECKING:
    from core.engine import Engine

translate = QCoreApplication.translate

OnProgress = Callable[[float, str], None]
OpenEngine = Callable[[ModelChoice, OnProgress, threading.Event], "Engine"]


def leaves_this_machine(choice: ModelChoice) -> bool:
    """Whether images would be sent to another computer."""
    named = server_model(choice.model)
    return named is not None and not all(is_this_machine(place) for place, _ in named.addresses)


def require_this_machine_for(choice: ModelChoice) -> None:
    """Raises ServerError if images would be sent to another computer."""
    if named := server_model(choice.model):
        require_this_machine(place for place, _ in named.addresses)


def open_engine(choice: ModelChoice, on_progress: OnProgress, stop: threading.Event) -> Engine:
    """Does what `core.open_engine` does, after importing it; raises CheckpointError if it cannot
    be imported. A model on servers needs no torch."""
    if named := server_model(choice.model):
        from core.remote.keys import Keys
        from core.remote.opening import open_server_model

        keys = Keys((address for address, _ in named.addresses), takes_single=False)
        return open_server_model(named, on_progress, stop, keys=keys)
    from core.vetting.vetting import begin_vetting

    on_progress(0.0, translate("Loading", "Starting PyTorch"))
    # The model's folder is tried in another process meanwhile.
    with begin_vetting(choice) as vetting:
        _open_torch_libraries()
        try:
            from core.open_engine import open_engine as open_with_torch
        except (ImportError, OSError) as error:
            text = translate(
                "Loading",
                "PyTorch cannot be started ({reason}). Install Onlooker again.",
            )
            raise CheckpointError(text.format(reason=error)) from error
        return open_with_torch(choice, on_progress, stop, vetting)


def _open_torch_libraries() -> None:
    """Lets the system open torch's libraries before Python does.

    `import torch` holds the interpreter's lock, and so the window, while gigabytes are mapped
    and bound (0.2 to 0.4 s for the CPU alone); a foreign call does not. The import then finds
    them open. If this fails, the import fails too, with a better message.
    """
    found = importlib.util.find_spec("torch")
    if sys.platform == "linux" and found and found.origin:
        path = Path(found.origin).parent / "lib" / "libtorch_python.so"
        dlopen = ctypes.CDLL(None).dlopen
        dlopen.argtypes, dlopen.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        dlopen(os.fsencode(path), os.RTLD_NOW)
