"""The person's access token for gated models: in the system's keyring and nowhere else."""

from __future__ import annotations

import logging

_SERVICE, _USER = "onlooker", "hub access token"

log = logging.getLogger(__name__)


class AccessToken:
    """Kept from one start to the next where the system has a keyring, else while this lives.

    May be called from any thread; a keyring may ask the person to unlock it, and so take long.
    """

    def __init__(self) -> None:
        self._token = ""

    def read(self) -> str:
        """The token, or "" where there is none, or none that the system gives out."""
        if not self._token:
            import keyring
            from keyring.errors import KeyringError

            try:
                self._token = keyring.get_password(_SERVICE, _USER) or ""
            except (KeyringError, OSError, RuntimeError) as error:
                log.info("No keyring: %s", error)
        return self._token

    def keep(self, token: str) -> str:
        """Use this token from now on; "" forgets it. Gives a sentence if it cannot be kept."""
        import keyring
        from keyring.errors import KeyringError, PasswordDeleteError

        self._token = token = token.strip()
        try:
            if token:
                keyring.set_password(_SERVICE, _USER, token)
            elif keyring.get_password(_SERVICE, _USER) is not None:
                keyring.delete_password(_SERVICE, _USER)
        except PasswordDeleteError:
            return ""  # It has gone meanwhile.
        except (KeyringError, OSError, RuntimeError) as error:
            log.info("No keyring: %s", error)
            if token:
                return (
                    "This system has no keyring to keep the access token in. It is used until "
                    "Onlooker is closed; to keep it, install the system's keyring."
                )
        return ""
