"""Says that something ended while the person looks elsewhere."""

from __future__ import annotations

import shutil

from PySide6.QtCore import QProcess, QTimer
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

_SHOWN_MS = 20_000


def notify(window: QWidget, title: str, text: str) -> None:
    """Shows a notification of the desktop and marks the window in the task bar, unless the window
    is active. Does nothing where the system shows none."""
    if window.isActiveWindow():
        return
    QApplication.alert(window)
    if QSystemTrayIcon.isSystemTrayAvailable():
        icon = QSystemTrayIcon(QApplication.windowIcon(), window)
        icon.messageClicked.connect(window.activateWindow)
        icon.show()
        icon.showMessage(title, text)
        QTimer.singleShot(_SHOWN_MS, icon, icon.deleteLater)
    elif command := shutil.which("notify-send"):
        QProcess.startDetached(command, ["--app-name=Onlooker", "--icon=onlooker", title, text])
