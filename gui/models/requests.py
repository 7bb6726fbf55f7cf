"""What a person can ask for in the model dialog, as signals."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal


class ModelRequests(QObject):
    """The dialog's parts emit these signals, with a model's key or the hub id of a download."""

    look_up_asked = Signal(str)
    get_asked = Signal(str)
    paused = Signal(str)
    cancelled = Signal(str)
    load_asked = Signal(str, object)
    """The key, and the `Precision` to load it in, None where there is no choice."""
    unload_asked = Signal()
    check_asked = Signal(str)
    move_asked = Signal(str, Path)
    remove_asked = Signal(str)
    forget_asked = Signal(str)
    folder_added = Signal(Path)
    downloads_chosen = Signal(object)
    """The folder to download into, None for the hub's cache."""
    offline_chosen = Signal(bool)
    token_given = Signal(str)
    server_asked = Signal()
    """A model on a server is to be used."""
    folder_opened = Signal(Path)
    page_opened = Signal(str)
