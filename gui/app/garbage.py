"""Collects Python's garbage in the window's thread alone.

Python collects in whichever thread happens to allocate. A QObject in a reference cycle then
dies in the model's thread, with its timers ("Timers cannot be stopped from another thread").
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

# While 100,000 captions are edited, each second makes objects that take 26 ms to traverse.
EVERY_MS = 500
# Traversing so many objects takes some 10 ms.
_MANY = 50_000


class GarbageCollector(QObject):
    """Takes the place of the automatic collection until `close`; same thresholds.

    Where there are very many objects, as when a folder of 100,000 pictures was opened, nothing is
    collected, and the objects that exist then are never traversed again: that would block the
    window for 50 ms and more, each time. Such rows are in no cycles, so that reference counting
    frees them.
    """

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

    def resume(self) -> None:
        """Collect again, but never traverse the objects that exist now.

        With torch and transformers imported one collection would block the window for 0.3 s.
        """
        gc.freeze()
        self._timer.start()

    def close(self) -> None:
        """Give the collection back to Python."""
        self._timer.stop()
        gc.enable()

    @Slot()
    def _on_timeout(self) -> None:
        counts = zip(gc.get_count(), self._thresholds, strict=True)
        due = [generation for generation, (count, most) in enumerate(counts) if count > most]
        if not due:
            return
        # Counted, since `gc.get_count` subtracts what was freed of older ones. Not in Python, where
        # another thread may go on while the list has all objects: to grow a tuple that somebody
        # else has fails with a SystemError.
        if sum(map(len, map(gc.get_objects, range(max(due) + 1)))) > _MANY:
            gc.freeze()
        else:
            gc.collect(max(due))
