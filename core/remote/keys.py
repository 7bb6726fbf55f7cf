"""A server's key: in the system's keyring or an environment variable, and nowhere else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping

from core.errors import ServerError, ServerFault
from core.message import translatable
from core.model_reference import host_of
from core.remote.address import origin_of
from core.secret import Secret

VARIABLE = "ONLOOKER_SERVER_KEY"


class ServerKey(Secret):
    """The key for one server, by scheme, host and port. It is sent nowhere else."""

    def __init__(self, address: str) -> None:
        super().__init__(f"server-key {origin_of(address)}")
        self._host = host_of(address)

    @property
    def forgotten(self) -> str:
        """Says that the system has no keyring, and what helps."""
        return translatable(
            "core",
            "This system has no keyring to keep the key. Set ONLOOKER_SERVER_KEY to {host}=KEY "
            "before you start Onlooker.",
        ).format(host=self._host)


class Keys:
    """Finds the key for a server: in ONLOOKER_SERVER_KEY, else in the keyring.

    The variable has “HOST=KEY” for each server, separated by spaces, or one key alone. A key
    alone is used where all servers are on the same host, so that no other host ever gets it.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        environment: Mapping[str, str] | None = None,
        *,
        takes_single: bool = True,
    ) -> None:
        """`addresses` are those of the servers that are used together. A key alone is taken only
        with `takes_single`: a person who chooses servers in a window chooses others later."""
        self._takes_single = takes_single
        self._origins = {origin_of(address) for address in addresses}
        found = os.environ if environment is None else environment
        self._words = found.get(VARIABLE, "").split()

    def read(self, address: str, stop: threading.Event | None = None) -> str:
        """Returns the key for the server, "" if there is none.

        May wait for the person to unlock the keyring; raises Cancelled once `stop` is set, and
        ServerError if the variable has one key for several hosts.
        """
        host = host_of(address)
        for word in self._words:
            name, found, key = word.partition("=")
            if found and name == host:
                return key
        if self._takes_single and len(self._words) == 1 and not _is_pair(self._words[0]):
            if len(self._origins) > 1:
                raise ServerError(
                    translatable(
                        "core",
                        "ONLOOKER_SERVER_KEY has one key, but there are several servers. Write "
                        "HOST=KEY for each, separated by spaces.",
                    ),
                    ServerFault.KEY,
                )
            return self._words[0]
        return ServerKey(address).read(stop)


def one_key_for_several() -> ServerError:
    """Returns the error for a key that was typed for several servers."""
    text = translatable(
        "core",
        "A key is for one server. Use each of the servers alone with its key once, then all "
        "together.",
    )
    return ServerError(text, ServerFault.KEY)


def _is_pair(word: str) -> bool:
    """Whether a word is HOST=KEY. The “=” at the end of a key in base64 makes none."""
    name, found, key = word.partition("=")
    return bool(found and key.strip("=") and ("." in name or ":" in name or name == "localhost"))
