"""Tries servers that run models, in a thread: which models they have, and whether they see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from core.errors import AppError, Cancelled
from core.picture import open_picture
from core.remote.address import read_address, require_this_machine
from core.remote.discovery import FoundServer, find_servers
from core.remote.keys import Keys, ServerKey
from core.remote.opening import Checked, check_server, list_models
from core.resources import SAMPLES
from core.settings import Settings

Result = TypeVar("Result")


class ServerChecks(QObject):
    """What is asked of servers before one is used. A new question ends the one before."""

    listed = Signal(object)
    """The names of a server's models, as a list."""
    checked = Signal(object)
    """`core.remote.opening.Checked`: a model answered."""
    found = Signal(object)
    """The servers on this computer, as a list of `FoundServer`."""
    failed = Signal(object)
    """The error for the person."""

    def __init__(self, settings: Settings, parent: QObject | None = None):
        super().__init__(parent)
        self._settings = settings
        self._stop = threading.Event()
        self._executor = ThreadPoolExecutor(1, "servers")

    async def check(self, address: str, key: str, model: str) -> None:
        """List the models of a server, then ask one of them. `key` "" is the one that is kept."""

        def models(stop: threading.Event) -> tuple[str, str, list[str]]:
            right = read_address(address)
            self._require_allowed(right)
            used = key or Keys([right], takes_single=False).read(right, stop)
            return right, used, list_models(right, stop, key=used)

        def ask(right: str, used: str, name: str, stop: threading.Event) -> Checked:
            sample = open_picture(next(iter(sorted(SAMPLES.glob("*.png")))))
            return check_server(right, name, stop, key=used, sample=sample)

        stop = self._begin()
        if (answered := await self._run(models, stop)) is None:
            return
        right, used, names = answered
        self.listed.emit(names)
        name = model if model in names else names[0] if len(names) == 1 else ""
        if not name:
            return
        if checked := await self._run(partial(ask, right, used, name), stop):
            self.checked.emit(checked)

    async def find(self) -> None:
        """Look for servers at the usual ports of this computer."""
        found: list[FoundServer] | None = await self._run(find_servers, self._begin())
        if found is not None:
            self.found.emit(found)

    async def keep_key(self, address: str, key: str) -> str:
        """Keep a server's key in the keyring. Return a sentence if it cannot be kept."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, ServerKey(address).keep, key)

    def _require_allowed(self, address: str) -> None:
        if self._settings.works_offline:
            require_this_machine([address])

    def stop(self) -> None:
        """End what is under way."""
        self._stop.set()

    def _begin(self) -> threading.Event:
        self.stop()
        self._stop = threading.Event()
        return self._stop

    async def _run(
        self, work: Callable[[threading.Event], Result], stop: threading.Event
    ) -> Result | None:
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._executor, work, stop)
        except Cancelled:
            return None
        except AppError as error:
            if not stop.is_set():
                self.failed.emit(error)
            return None
        return None if stop.is_set() else result
