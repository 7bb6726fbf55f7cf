"""Tries servers that run models, in a thread: which models they have, and whether they see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from core.errors import AppError, Cancelled
from core.model_reference import host_of
from core.picture import open_picture
from core.remote.address import read_addresses, require_this_machine
from core.remote.canary import Sight
from core.remote.discovery import FoundServer, find_servers
from core.remote.keys import Keys, ServerKey, one_key_for_several
from core.remote.opening import Checked, blind, check_server, list_models
from core.resources import SAMPLES
from core.settings import Settings
from gui.session.in_thread import begin_in

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

    async def check(self, addresses: str, key: str, model: str) -> None:
        """List the models that all the servers have, then ask one of them at each server.

        `key` "" is the one that is kept.
        """

        def list_all(stop: threading.Event) -> tuple[dict[str, str], list[str]]:
            places = [address for address, _ in read_addresses(addresses)]
            if key and len(places) > 1:
                raise one_key_for_several()
            keys = self._keys(places, key, stop)
            listed = [list_models(place, stop, key=keys[place]) for place in places]
            return keys, [name for name in listed[0] if all(name in other for other in listed)]

        def ask(keys: dict[str, str], name: str, stop: threading.Event) -> Checked:
            sample = open_picture(next(iter(sorted(SAMPLES.glob("*.png")))))
            all_checked = []
            for place, used in keys.items():
                checked = check_server(place, name, stop, key=used, sample=sample)
                if checked.sight is Sight.BLIND and len(keys) > 1:
                    raise blind(name, host_of(place))
                all_checked.append(checked)
            return max(all_checked, key=lambda checked: checked.answer_seconds)

        stop = self._begin()
        if (answered := await self._run(list_all, stop)) is None:
            return
        keys, names = answered
        self.listed.emit(names)
        name = model if model in names else names[0] if len(names) == 1 else ""
        if not name:
            return
        if checked := await self._run(partial(ask, keys, name), stop):
            self.checked.emit(checked)

    def _keys(self, places: list[str], key: str, stop: threading.Event) -> dict[str, str]:
        """Return the key for each server. Raise ServerError where one is not to be asked."""
        if self._settings.works_offline:
            require_this_machine(places)
        kept = Keys(places, takes_single=False)
        return {place: key or kept.read(place, stop) for place in places}

    async def find(self) -> None:
        """Look for servers at the usual ports of this computer."""
        found: list[FoundServer] | None = await self._run(find_servers, self._begin())
        if found is not None:
            self.found.emit(found)

    async def keep_key(self, address: str, key: str) -> str:
        """Keep a server's key in the keyring. Return a sentence if it cannot be kept."""
        return await begin_in(self._executor, partial(ServerKey(address).keep, key))

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
        try:
            result = await begin_in(self._executor, partial(work, stop))
        except Cancelled:
            return None
        except AppError as error:
            if not stop.is_set():
                self.failed.emit(error)
            return None
        return None if stop.is_set() else result
