"""What is true of a run that nothing is done with, and what is said of it then."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QCoreApplication

from core.batch import Batch, Phase
from gui.session.run_items import RunItems

translate = QCoreApplication.translate


def idle_phase(batch: Batch | None, items: RunItems) -> Phase:
    """Return the phase of a run that nothing is done with."""
    if batch is None:
        return Phase.CHOOSING
    if batch.is_undone:
        return Phase.UNDONE
    return Phase.OVER if items.settled == len(items) else Phase.PAUSED


def is_to_sum_up(phase: Phase, *, is_stopped: bool) -> bool:
    """Return whether a run is over, or was stopped by a person."""
    return (phase is Phase.PAUSED and is_stopped) or phase in (Phase.OVER, Phase.UNDONE)


def nothing_found(left_out: str) -> str:
    """Say that no images were found, and which were left out."""
    nothing = translate("FolderRun", "There are no images here.")
    action = translate("FolderRun", "Choose another folder.")
    return " ".join(filter(None, (nothing, left_out, action)))


def left_unchanged(count: int) -> str:
    """Say how many files an undo left as they are, since somebody has edited them."""
    if count == 1:
        return translate("FolderRun", "1 file was edited after the run and left unchanged.")
    many = translate("FolderRun", "{count} files were edited after the run and left unchanged.")
    return many.format(count=f"{count:,}")


async def painted() -> None:
    """Let the window be painted before the next step that takes a while."""
    await asyncio.sleep(0)
