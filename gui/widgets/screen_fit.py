"""Keeps a window within its screen, whatever the screen's size and scale are or become."""

from __future__ import annotations

import shiboken6
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QScreen
from PySide6.QtWidgets import QStyle, QWidget

# Window managers report the size of a window that they restored a moment after its new state.
_SETTLED_MS = 300

_NOT_OURS = (
    Qt.WindowState.WindowMinimized
    | Qt.WindowState.WindowMaximized
    | Qt.WindowState.WindowFullScreen
)


class ScreenFit(QObject):
    """Makes `window` no larger than the available part of its screen, and moves it inside.

    That happens when the window appears, when it is restored, when its screen is removed or
    changes, and when the window comes to another screen; there it is not moved, since a person may
    be dragging it. The window owns this object.
    """

    def __init__(self, window: QWidget):
        super().__init__(window)
        self._window = window
        self._screen: QScreen | None = None
        self._moves = False
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._fit)
        self._settled = QTimer(self, singleShot=True, interval=_SETTLED_MS)
        self._settled.timeout.connect(self._fit)
        window.installEventFilter(self)
        if isinstance(app := QGuiApplication.instance(), QGuiApplication):
            app.screenRemoved.connect(self._on_screens_changed)
            app.primaryScreenChanged.connect(self._on_screens_changed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event.type():
            case QEvent.Type.Show:
                # A dialog is placed over its parent by its present size, right after this.
                self._shrink()
                self._on_screens_changed()
            case QEvent.Type.WindowStateChange:
                self._on_screens_changed()
            case QEvent.Type.ScreenChangeInternal | QEvent.Type.DevicePixelRatioChange:
                self._soon.start()
        return False

    @Slot()
    def _on_screens_changed(self) -> None:
        self._moves = True
        self._soon.start()
        self._settled.start()

    @Slot()
    def _fit(self) -> None:
        self._watch_screen()
        if not self._window.isVisible() or self._window.windowState() & _NOT_OURS:
            return
        self._shrink()
        if self._moves:
            self._moves = self._settled.isActive()
            self._move_inside()

    def _watch_screen(self) -> None:
        screen = self._window.screen()
        if screen is self._screen:
            return
        if self._screen is not None and shiboken6.isValid(self._screen):
            self._screen.availableGeometryChanged.disconnect(self._on_screens_changed)
        self._screen = screen
        screen.availableGeometryChanged.connect(self._on_screens_changed)

    def _shrink(self) -> None:
        if self._window.windowState() & _NOT_OURS:
            return
        size = self._window.size()
        room = self._window.screen().availableGeometry().size() - self._frame_size()
        if (smaller := size.boundedTo(room)) != size:
            self._window.resize(smaller)

    def _move_inside(self) -> None:
        area, frame = self._window.screen().availableGeometry(), self._window.frameGeometry()
        inside = moved_inside(frame, area)
        if inside != frame.topLeft():
            self._window.move(inside)

    def _frame_size(self) -> QSize:
        """What the title bar and the edges take; estimated until the window was shown."""
        frame = self._window.frameGeometry().size() - self._window.size()
        if frame.isNull():
            title = QStyle.PixelMetric.PM_TitleBarHeight
            frame.setHeight(self._window.style().pixelMetric(title))
        return frame


def moved_inside(frame: QRect, area: QRect) -> QPoint:
    """Returns where `frame` is to be so that it lies in `area`, its title bar above all."""
    left = max(area.left(), min(frame.left(), area.right() + 1 - frame.width()))
    top = max(area.top(), min(frame.top(), area.bottom() + 1 - frame.height()))
    return QPoint(left, top)
