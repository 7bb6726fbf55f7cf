"""Collects Python's garbage in the window's thread alone.

Python collects in whichever thread happens to allocate. A QObject in a reference cycle then
dies in the model's thread, with its timers ("Timers cannot be stopped from another thread").
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

EVERY_MS = 1000


class GarbageCollector(QObject):
    """Takes the place of the automatic collection until `close`; same thresholds."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        gc.disable()
        self._timer = QTimer(self, interval=EVERY_MS)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    def pause(self) -> None:
        """Collect nothing while a library is imported: its objects are many, and all stay."""
        self._timer.stop()

    def go_on(self) -> None:
        """Collect again, but look at nothing that exists now.

        With torch and transformers imported one collection would hold the window for 0.3 s.
        """
        gc.freeze()
        self._timer.start()

    def close(self) -> None:
        self._timer.stop()
        gc.enable()

    @Slot()
    def _on_timeout(self) -> None:
        counts = zip(gc.get_count(), self._thresholds, strict=True)
        due = [generation for generation, (count, most) in enumerate(counts) if count > most]
        if due:
            gc.collect(max(due))
