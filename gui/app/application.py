"""The process around the window: Qt's application, Unix signals, and the first paint."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSocketNotifier, Signal
from PySide6.QtGui import QAccessible, QFileOpenEvent
from PySide6.QtWidgets import QApplication, QWidget

from gui.conversation.exchange_view import ExchangeView
from gui.picture.patch_figure import PatchFigure
from gui.picture.picture_view import PictureView

LATEST_PAINT_SECONDS = 1.0

ROLES = {
    PictureView: QAccessible.Role.Graphic,
    PatchFigure: QAccessible.Role.Graphic,
    ExchangeView: QAccessible.Role.Grouping,
}
"""What widgets of ours are for screen readers."""


class Application(QApplication):
    """Qt's application. What the system asks of it, it passes on to the program.

    `quit_asked()`: so that the program ends in order. `paths_opened(list[Path])`: on macOS, what
    was dropped on the icon or opened with Onlooker; other systems pass that as an argument.
    """

    quit_asked = Signal()
    paths_opened = Signal(list)

    def __init__(self, arguments: list[str]):
        super().__init__(arguments)
        self.setApplicationName("Onlooker")
        self.setDesktopFileName("onlooker")

    def event(self, event: QEvent) -> bool:
        """Handle the two events that are the program's own business."""
        if event.type() == QEvent.Type.Quit:
            # Cmd+Q. Qt would leave the event loop at once.
            self.quit_asked.emit()
            return True
        if isinstance(event, QFileOpenEvent) and event.file():
            self.paths_opened.emit([Path(event.file())])
            return True
        return super().event(event)


class FirstPaint(QObject):
    """Watches a window until it has painted once, and sets `is_over` then."""

    def __init__(self, window: QWidget):
        super().__init__(window)
        self.is_over = asyncio.Event()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let every event pass."""
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            self.is_over.set()
        return False


async def first_paint(window: QWidget) -> None:
    """Wait for the first paint, before torch takes Python's lock; a window that begins minimised
    never paints."""
    painted = FirstPaint(window)
    try:
        await asyncio.wait_for(painted.is_over.wait(), LATEST_PAINT_SECONDS)
    except TimeoutError:
        window.removeEventFilter(painted)


@contextmanager
def unix_signals_calling(end: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl+C and a system that shuts down call `end`, in the GUI thread.

    Python runs a signal handler between two of its own instructions, and an idle Qt loop executes
    none: a byte in the wake-up socket makes it.
    """
    kinds = [signal.SIGINT, signal.SIGTERM]
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    notifier = QSocketNotifier(near.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: near.recv(64))
    descriptor = signal.set_wakeup_fd(far.fileno())
    handlers = [signal.signal(kind, lambda *_: end()) for kind in kinds]
    try:
        yield
    finally:
        for kind, handler in zip(kinds, handlers, strict=True):
            signal.signal(kind, handler)
        signal.set_wakeup_fd(descriptor)
        notifier.setEnabled(False)
        near.close()
        far.close()
