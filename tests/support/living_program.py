"""Runs a test inside the whole living program, from its start to its clean end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent

from gui.app.program import Program


def live_through(
    program: Program,
    story: Callable[[], Awaitable[None]],
    run: Callable[[Any], bool],
    *,
    paths: Sequence[Path] = (),
) -> None:
    """Let `program` open `paths` and live until `story` is over, in the loop of the fixture `run`.

    An exception in a task of the loop fails the test, and so does an end that is not clean.
    """

    async def life() -> bool:
        living = asyncio.create_task(program.life(list(paths)))
        try:
            with program.faults.catching(asyncio.get_running_loop()):
                await story()
        finally:
            program.quit()
            is_clean = await living
        return is_clean

    assert run(life())
    program.window.deleteLater()
    # At once: the theme of the program that follows would style it again.
    QCoreApplication.sendPostedEvents(program.window, QEvent.Type.DeferredDelete.value)
