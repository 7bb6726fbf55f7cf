"""A secret of the person's, such as an access token: in the system's keyring and nowhere else."""

from __future__ import annotations

import logging
import threading

from core.errors import Cancelled
from core.message import translatable

_PATIENCE_SECONDS = 0.1
_SERVICE = "onlooker"

log = logging.getLogger(__name__)


class Secret:
    """Kept from one start to the next where the system has a keyring, else while this lives.

    May be called from any thread; a keyring may ask the person to unlock it, and so take long.
    """

    def __init__(self, name: str) -> None:
        """`name` is what the keyring calls it, the same in every version."""
        self._name, self._text = name, ""

    def read(self, stop: threading.Event | None = None) -> str:
        """The secret, or "" where there is none, or none that the system gives out.

        Raises Cancelled once `stop` is set, though the person is still being asked.
        """
        if not self._text and stop is None:
            self._text = self._kept()
        elif not self._text:
            found: list[str] = []
            reading = threading.Thread(
                target=lambda: found.append(self._kept()), name="keyring", daemon=True
            )
            reading.start()
            while reading.is_alive():
                reading.join(_PATIENCE_SECONDS)
                if stop is not None and stop.is_set():
                    raise Cancelled("The keyring is not waited for.")
            self._text = self._text or "".join(found)
        return self._text

    def keep(self, text: str) -> str:
        """Use this text from now on; "" forgets it. Gives a sentence if it cannot be kept."""
        import keyring
        from keyring.errors import PasswordDeleteError

        self._text = text = text.strip()
        try:
            if text:
                keyring.set_password(_SERVICE, self._name, text)
            elif keyring.get_password(_SERVICE, self._name) is not None:
                keyring.delete_password(_SERVICE, self._name)
        except PasswordDeleteError:
            return ""  # It has gone meanwhile.
        except Exception as error:
            log.info("No keyring: %s", type(error).__name__)
            if text:
                return self.forgotten
        return ""

    @property
    def forgotten(self) -> str:
        """Says that the system has no keyring, and what becomes of the secret."""
        return translatable(
            "core",
            "This system has no keyring, so the key is forgotten when Onlooker closes. Install "
            "the system's keyring to keep it.",
        )

    def _kept(self) -> str:
        import keyring

        try:
            return keyring.get_password(_SERVICE, self._name) or ""
        except Exception as error:
            # Each system's keyring has errors of its own, and lets those of its libraries through.
            log.info("No keyring: %s", type(error).__name__)
            return ""
