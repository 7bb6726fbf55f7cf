"""Shows a file in the system's file manager, marked where the system can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices


@Slot(Path)
def reveal(path: Path) -> None:
    """Open the folder of `path` with the file marked; without mark where nobody answers."""
    if sys.platform == "darwin":
        subprocess.Popen(["open", "-R", str(path)])
    elif sys.platform == "win32":
        # Explorer takes a comma and quotes of its own; a list would be quoted otherwise.
        subprocess.Popen(f'explorer /select,"{path}"')
    elif not _is_shown_by_file_manager(path):
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def _is_shown_by_file_manager(path: Path) -> bool:
    """Ask over D-Bus, in the way that GNOME's, KDE's and other file managers share."""
    from PySide6.QtDBus import QDBusConnection, QDBusMessage

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    name = "org.freedesktop.FileManager1"
    # One that can be started is as good as one that runs.
    known = bus.interface()
    running, startable = known.registeredServiceNames(), known.activatableServiceNames()
    if name not in (*running.value(), *startable.value()):
        return False
    message = QDBusMessage.createMethodCall(
        name, "/org/freedesktop/FileManager1", name, "ShowItems"
    )
    message.setArguments([[QUrl.fromLocalFile(str(path)).toString()], ""])
    return bus.send(message)
