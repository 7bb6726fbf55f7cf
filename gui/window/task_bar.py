"""The progress of a run on the program's entry in the task bar or dock, where there is one.

Linux: the signal of Unity's launcher, which GNOME's docks, KDE's task bar and others support.
Windows: ITaskbarList3. macOS has no bar on the dock's icon; there the badge shows the per cent.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import uuid
from typing import Any

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_ENTRY = "application://onlooker.desktop"
_STEPS = 1000

log = logging.getLogger(__name__)


class TaskBar:
    """Shows a fraction next to the program's icon. Does nothing where the system cannot."""

    def __init__(self, window: QWidget):
        self._window = window
        self._shown: tuple[int, bool] | None = None
        self._list: Any = None

    def show_progress(self, fraction: float | None, *, is_paused: bool = False) -> None:
        """Show a fraction; None takes it away again."""
        state = None if fraction is None else (round(fraction * _STEPS), is_paused)
        if state == self._shown:
            return
        self._shown = state
        match sys.platform:
            case "win32":
                self._show_on_windows(state)
            case "darwin":
                percent = 0 if state is None else state[0] * 100 // _STEPS
                QGuiApplication.setBadgeNumber(percent)  # type: ignore[call-arg]  # It is static.
            case _:
                self._send_to_launcher(state)

    def _send_to_launcher(self, state: tuple[int, bool] | None) -> None:
        # Only here: the frozen program for Windows needs no D-Bus.
        from PySide6.QtDBus import QDBusConnection, QDBusMessage

        bus = QDBusConnection.sessionBus()
        if not bus.isConnected():
            return
        message = QDBusMessage.createSignal(
            "/org/onlooker/launcher", "com.canonical.Unity.LauncherEntry", "Update"
        )
        done = 0.0 if state is None else state[0] / _STEPS
        properties = {"progress": done, "progress-visible": state is not None}
        message.setArguments([_ENTRY, properties])
        bus.send(message)

    def _show_on_windows(self, state: tuple[int, bool] | None) -> None:
        try:
            if self._list is None:
                self._list = _WindowsList()
            self._list.show(int(self._window.winId()), state)
        except OSError as error:
            log.info("No progress on the task bar: %s", error)


class _WindowsList:
    """Windows' list of task bar buttons, reached without a library of its own.

    The methods' numbers are their indices in the vtable, from the header `shobjidl_core.h`.
    """

    _CLASS = uuid.UUID("56fdf344-fd6d-11d0-958a-006097c9a090")
    _INTERFACE = uuid.UUID("ea1afb91-9e28-4b86-90e9-9e9f8a5eefaf")
    _INITIALISE, _SET_VALUE, _SET_STATE = 3, 9, 10
    _IN_PROCESS = 1
    _NONE, _NORMAL, _PAUSED = 0, 2, 8

    def __init__(self) -> None:
        self._pointer = ctypes.c_void_p()
        create = ctypes.oledll.ole32.CoCreateInstance  # type: ignore[attr-defined]
        create(
            self._CLASS.bytes_le,
            None,
            self._IN_PROCESS,
            self._INTERFACE.bytes_le,
            ctypes.byref(self._pointer),
        )
        self._call(self._INITIALISE)

    def show(self, window: int, state: tuple[int, bool] | None) -> None:
        handle = ctypes.c_void_p(window)
        flag = self._NONE if state is None else self._PAUSED if state[1] else self._NORMAL
        self._call(self._SET_STATE, handle, ctypes.c_int(flag))
        if state is not None:
            done, whole = ctypes.c_ulonglong(state[0]), ctypes.c_ulonglong(_STEPS)
            self._call(self._SET_VALUE, handle, done, whole)

    def _call(self, method: int, *arguments: Any) -> None:
        table = ctypes.cast(self._pointer, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))
        kinds = [type(argument) for argument in arguments]
        # Both exist on Windows only. A result that means failure raises OSError.
        result: Any = getattr(ctypes, "HRESULT")  # noqa: B009
        prototype: Any = getattr(ctypes, "WINFUNCTYPE")(result, ctypes.c_void_p, *kinds)  # noqa: B009
        prototype(table.contents[method])(self._pointer, *arguments)
