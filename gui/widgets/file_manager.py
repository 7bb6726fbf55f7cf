"""Shows a file in the system's file manager, marked where the system can."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QDesktopServices

from gui.widgets.file_urls import url_of


@Slot(Path)
def reveal(path: Path) -> None:
    """Opens the folder of `path` with the file selected, where the system can select it."""
    if sys.platform == "darwin":
        subprocess.Popen(["open", "-R", str(path)])
    elif sys.platform == "win32":
        # Explorer expects its own comma and quotes; subprocess would quote a list differently.
        subprocess.Popen(f'explorer /select,"{path}"')
    elif not _is_shown_by_file_manager(path):
        QDesktopServices.openUrl(url_of(path.parent))


def _is_shown_by_file_manager(path: Path) -> bool:
    """Asks over D-Bus, by the interface that the file managers of GNOME, KDE and others share."""
    from PySide6.QtDBus import QDBusConnection, QDBusMessage

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    name = "org.freedesktop.FileManager1"
    # A file manager that D-Bus can start will do as well.
    bus_interface = bus.interface()
    running, startable = (
        bus_interface.registeredServiceNames(),
        bus_interface.activatableServiceNames(),
    )
    if name not in (*running.value(), *startable.value()):
        return False
    message = QDBusMessage.createMethodCall(
        name, "/org/freedesktop/FileManager1", name, "ShowItems"
    )
    message.setArguments([[path.absolute().as_uri()], ""])
    return bus.send(message)
