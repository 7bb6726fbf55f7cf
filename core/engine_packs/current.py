"""Which engine this process imports PyTorch from."""

from __future__ import annotations

from core.engine_packs.choice import Chosen

_current: list[Chosen] = []


def set_current(chosen: Chosen) -> None:
    """Remembers the engine. The packaged program calls this once, at its start."""
    _current[:] = [chosen]


def current_engine() -> Chosen | None:
    """Returns the engine; None where PyTorch is installed with Python, as in a checkout."""
    return _current[0] if _current else None
