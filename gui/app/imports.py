"""What is done before the window's modules are imported, so that this takes less time."""

from __future__ import annotations

import builtins
import gc


def prepare_imports() -> None:
    """Import Qt for Python, and keep it and the garbage collector out of all later imports.

    Qt for Python puts a function in the place of Python's import that reads the source text of
    each module, to see whether it uses `from __feature__ import`. No module here does, and the
    texts would stay in memory, those of torch and transformers too.

    The program collects its garbage itself from when it exists (`garbage.py`); none comes of
    imports.
    """
    gc.disable()
    import PySide6  # noqa: F401

    unchanged = getattr(builtins, "__orig_import__", None)
    if unchanged is not None:
        builtins.__import__ = unchanged
