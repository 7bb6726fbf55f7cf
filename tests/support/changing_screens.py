"""The main window while its screens change: `python -m tests.support.changing_screens STEP`.

The environment configures the screens. Prints, as JSON, the window's frame and its screen's
available area, before the change and after it.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import PySide6
import shiboken6
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QScreen
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui.widgets.theme import Theme
from gui.window.main_window import MainWindow

# Longer than it takes until a window that is restored has its size.
_SETTLED_MS = 500


class _Rect(ctypes.Structure):
    """A QRect: its corners, the lower right one included."""

    _fields_ = [(name, ctypes.c_int) for name in ("left", "top", "right", "bottom")]


class _Platform:
    """What a platform plugin calls when the display server reports something about a screen."""

    def __init__(self) -> None:
        library = Path(PySide6.__file__).parent / "Qt" / "lib" / "libQt6Gui.so.6"
        self._qt = ctypes.CDLL(str(library))

    def report_size(self, screen: QScreen, width: int, height: int) -> None:
        rect = ctypes.byref(_Rect(0, 0, width - 1, height - 1))
        call = self._qt._ZN22QWindowSystemInterface26handleScreenGeometryChangeEP7QScreenRK5QRectS4_
        call(_pointer(screen), rect, rect)

    def report_removal(self, screen: QScreen) -> None:
        handle = self._qt._ZNK7QScreen6handleEv
        handle.restype = ctypes.c_void_p
        call = self._qt._ZN22QWindowSystemInterface19handleScreenRemovedEP15QPlatformScreen
        call(ctypes.c_void_p(handle(_pointer(screen))))


def _pointer(screen: QScreen) -> ctypes.c_void_p:
    return ctypes.c_void_p(shiboken6.getCppPointer(screen)[0])


def restore(window: MainWindow, platform: _Platform) -> None:
    """A window that was larger than this screen when it was closed, maximised."""
    window.showNormal()


def resolution(window: MainWindow, platform: _Platform) -> None:
    """The resolution becomes lower, as at another scale."""
    platform.report_size(window.screen(), 800, 480)


def removal(window: MainWindow, platform: _Platform) -> None:
    """The window's screen, the second one, is unplugged."""
    platform.report_removal(window.screen())


def crossing(window: MainWindow, platform: _Platform) -> None:
    """The window is moved to the second screen, which is smaller."""
    window.move(QApplication.screens()[1].geometry().topLeft())


STEPS: dict[str, Callable[[MainWindow, _Platform], None]] = {
    step.__name__: step for step in (restore, resolution, removal, crossing)
}


def main(step: str) -> None:
    app = QApplication(sys.argv[:1])
    window = MainWindow(Theme(app, "light"), (("Describe", "Describe it."),))
    window.show_empty([])
    if step == "restore":
        window.resize(1900, 1000)
        window.setWindowState(Qt.WindowState.WindowMaximized)
    elif step == "removal":
        window.setScreen(QApplication.screens()[1])
        window.move(QApplication.screens()[1].geometry().topLeft())
    window.show()
    QTest.qWait(_SETTLED_MS)
    before = _shown(window)
    STEPS[step](window, _Platform())
    QTest.qWait(_SETTLED_MS)
    sys.stdout.write(json.dumps({"before": before, "after": _shown(window)}))
    sys.stdout.flush()
    # The platform plugin does not know that its screen is gone, and would delete it again.
    os._exit(0)


def _shown(window: MainWindow) -> dict[str, tuple[int, int, int, int]]:
    return {
        "frame": _corners(window.frameGeometry()),
        "area": _corners(window.screen().availableGeometry()),
    }


def _corners(rect: QRect) -> tuple[int, int, int, int]:
    return rect.left(), rect.top(), rect.right(), rect.bottom()


if __name__ == "__main__":
    main(sys.argv[1])
