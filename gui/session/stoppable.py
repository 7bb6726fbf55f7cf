"""Work in the model thread that goes on beside a folder run, one at a time, until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError, Cancelled
from gui.widgets.translated import translated

log = logging.getLogger(__name__)


class Stoppable(QObject):
    """Whether work is under way, and its end.

    `running_changed(bool)`. `noticed(str)`: a sentence to show.
    """

    running_changed = Signal(bool)
    noticed = Signal(str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._stop: threading.Event | None = None
        self._ended = asyncio.Event()
        self._ended.set()

    @property
    def is_running(self) -> bool:
        """Whether work is under way."""
        return self._stop is not None

    @Slot()
    def stop(self) -> None:
        """End the work within its present step."""
        if self._stop:
            self._stop.set()

    async def close(self) -> None:
        """Stop, and wait for the end."""
        self.stop()
        await self._ended.wait()

    @contextmanager
    def _running(self) -> Iterator[threading.Event]:
        """Work is under way inside the block, until it sees the event set. A failure is a notice.

        Closing the program ends the block without one.
        """
        stop = self._stop = threading.Event()
        self._ended.clear()
        self.running_changed.emit(True)
        try:
            yield stop
        except Cancelled:
            log.info("%s ends, as the program closes", type(self).__name__)
        except AppError as error:
            self.noticed.emit(translated(error))
        finally:
            self._stop = None
            self._ended.set()
            self.running_changed.emit(False)
