"""Size, position and division of the window as text, for the settings."""

from __future__ import annotations

import base64
import binascii
import json

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QMainWindow, QSplitter


def saved_geometry(window: QMainWindow, splitter: QSplitter, outer: QSplitter) -> str:
    """Return size, position and division of the window as an opaque text."""
    parts = {
        "geometry": window.saveGeometry(),
        "splitter": splitter.saveState(),
        "workspace": outer.saveState(),
    }
    return json.dumps({k: base64.b64encode(v.data()).decode() for k, v in parts.items()})


def restore_geometry(
    window: QMainWindow, saved: str, splitter: QSplitter, outer: QSplitter
) -> None:
    """Undo `saved_geometry`; parts that cannot be read are left as they are."""
    try:
        parts = {k: QByteArray(base64.b64decode(v)) for k, v in json.loads(saved).items()}
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return
    window.restoreGeometry(parts.get("geometry", QByteArray()))
    splitter.restoreState(parts.get("splitter", QByteArray()))
    outer.restoreState(parts.get("workspace", QByteArray()))
