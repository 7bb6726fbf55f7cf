"""Lays out whatever asked for it, in one go."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication

# More than widgets stand in one another; two that never agreed would go on for ever.
_MOST_ROUNDS = 50


def lay_out_all(app: QApplication) -> None:
    """Gives all that asked for another size its size, before anything is painted.

    Each layout asks the one around it by an event, so that otherwise some pictures would be shown
    in which parts are cut off.
    """
    requests = _LayoutRequests()
    app.installEventFilter(requests)
    for _ in range(_MOST_ROUNDS):
        requests.count = 0
        # Not those that come meanwhile.
        app.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        if not requests.count:
            break
    app.removeEventFilter(requests)


class _LayoutRequests(QObject):
    """Counts the requests for a layout that widgets get."""

    count = 0

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False
