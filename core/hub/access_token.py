"""The person's access token for gated models: in the system's keyring and nowhere else."""

from __future__ import annotations

import logging
import threading

from core.errors import Cancelled
from core.message import translatable

_PATIENCE_SECONDS = 0.1
_SERVICE, _USER = "onlooker", "hub access token"

log = logging.getLogger(__name__)


class AccessToken:
    """Kept from one start to the next where the system has a keyring, else while this lives.

    May be called from any thread; a keyring may ask the person to unlock it, and so take long.
    """

    def __init__(self) -> None:
        self._token = ""

    def read(self, stop: threading.Event | None = None) -> str:
        """The token, or "" where there is none, or none that the system gives out.

        Raises Cancelled once `stop` is set, though the person is still being asked.
        """
        if not self._token and stop is None:
            self._token = _kept()
        elif not self._token:
            found: list[str] = []
            reading = threading.Thread(
                target=lambda: found.append(_kept()), name="keyring", daemon=True
            )
            reading.start()
            while reading.is_alive():
                reading.join(_PATIENCE_SECONDS)
                if stop is not None and stop.is_set():
                    raise Cancelled("The keyring is not waited for.")
            self._token = self._token or "".join(found)
        return self._token

    def keep(self, token: str) -> str:
        """Use this token from now on; "" forgets it. Gives a sentence if it cannot be kept."""
        import keyring
        from keyring.errors import PasswordDeleteError

        self._token = token = token.strip()
        try:
            if token:
                keyring.set_password(_SERVICE, _USER, token)
            elif keyring.get_password(_SERVICE, _USER) is not None:
                keyring.delete_password(_SERVICE, _USER)
        except PasswordDeleteError:
            return ""  # It has gone meanwhile.
        except Exception as error:
            log.info("No keyring: %s", type(error).__name__)
            if token:
                return translatable(
                    "core",
                    "This system has no keyring, so the access token is forgotten when "
                    "Onlooker closes. Install the system's keyring to keep it.",
                )
        return ""


def _kept() -> str:
    import keyring

    try:
        return keyring.get_password(_SERVICE, _USER) or ""
    except Exception as error:
        # Each system's keyring has errors of its own, and lets those of its libraries through.
        log.info("No keyring: %s", type(error).__name__)
        return ""
