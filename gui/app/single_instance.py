"""One window for one user: a second copy hands its pictures to the first, and leaves.

The first copy holds a lock in our folder and listens at a local socket that only this user may
open. Where neither can be had, each copy opens a window of its own: that is a nuisance, while a
program that does not start is a fault.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

PATIENCE_MS = 3000
RETRY_MS = 50
LARGEST_MESSAGE_BYTES = 1_000_000
# The kernel's limit for the name of a local socket is 108 bytes, and Qt adds to it.
_LONGEST_SOCKET_PATH = 80


class SingleInstance(QObject):
    """The lock and the socket of this copy.

    `paths_received(list[Path])`: another copy was started on these; [] for none.
    """

    paths_received = Signal(list)

    def __init__(self, folder: Path, parent: QObject | None = None):
        """`folder` is ours, and the same for every copy that shall share a window."""
        super().__init__(parent)
        self._name = _socket_name(folder)
        self._lock = QLockFile(str(folder / "instance.lock"))
        # Only the end of the process that holds it frees the lock, not the passing of time.
        self._lock.setStaleLockTime(0)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_new_connection)

    def takes_part(self, paths: Sequence[Path]) -> bool:
        """False when a copy that runs already has taken `paths`: then this one has to leave.

        Waits for that copy for up to three seconds, so it belongs before the window.
        """
        give_up = time.monotonic() + PATIENCE_MS / 1000
        wait_ms = 0
        while not self._lock.tryLock(wait_ms):
            if self._lock.error() is not QLockFile.LockError.LockFailedError:
                return True
            if self._hand_over(paths):
                return False
            if time.monotonic() >= give_up:
                return True
            # The first copy has its lock: it will listen in a moment, or is about to leave.
            wait_ms = RETRY_MS
        # A socket that a crash left behind would prevent listening.
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)
        return True

    def close(self) -> None:
        """Listen no more; the next copy is the first."""
        self._server.close()
        self._lock.unlock()

    def _hand_over(self, paths: Sequence[Path]) -> bool:
        message = json.dumps({"paths": [str(path.absolute()) for path in paths]}).encode()
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(PATIENCE_MS):
            return False
        socket.write(message + b"\n")
        return socket.waitForReadyRead(PATIENCE_MS)

    @Slot()
    def _on_new_connection(self) -> None:
        while socket := self._server.nextPendingConnection():
            socket.setReadBufferSize(LARGEST_MESSAGE_BYTES)
            socket.readyRead.connect(self._on_ready_read)
            socket.disconnected.connect(socket.deleteLater)

    @Slot()
    def _on_ready_read(self) -> None:
        socket = self.sender()
        if not isinstance(socket, QLocalSocket) or not socket.canReadLine():
            return
        try:
            message = json.loads(bytes(socket.readLine().data()))
            paths = [Path(path) for path in message["paths"]]
        except (ValueError, KeyError, TypeError):
            socket.abort()
            return
        socket.write(b"taken\n")
        socket.flush()
        socket.disconnectFromServer()
        self.paths_received.emit(paths)


def _socket_name(folder: Path) -> str:
    """Return a path in our own folder, which other users cannot reach, where that is possible."""
    path = os.fsencode(folder / "instance.socket")
    if sys.platform != "win32" and len(path) <= _LONGEST_SOCKET_PATH:
        return os.fsdecode(path)
    return f"onlooker-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}"
