"""The key that clients must send: from an environment variable, or from the system's keyring.

Never from an argument, which every user of the computer can see, nor from a file.
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import Mapping

from core.errors import ServeError
from core.message import translatable

VARIABLE = "ONLOOKER_SERVE_KEY"
_SERVICE, _USER = "onlooker", "serve key"

log = logging.getLogger(__name__)


def read_key(environment: Mapping[str, str] | None = None) -> str:
    """Returns the key, "" where there is none. A keyring may ask the person to unlock it."""
    if key := (os.environ if environment is None else environment).get(VARIABLE, "").strip():
        return key
    import keyring

    try:
        return keyring.get_password(_SERVICE, _USER) or ""
    except Exception as error:
        # Each system's keyring has errors of its own, and lets those of its libraries through.
        log.info("No keyring: %s", type(error).__name__)
        return ""


def keep_key(key: str) -> None:
    """Keeps the key in the keyring; "" removes it. Raises ServeError where there is no keyring."""
    import keyring

    try:
        if key.strip():
            keyring.set_password(_SERVICE, _USER, key.strip())
        elif keyring.get_password(_SERVICE, _USER) is not None:
            keyring.delete_password(_SERVICE, _USER)
    except Exception as error:
        raise ServeError(
            translatable(
                "core", "This system has no keyring. Set the variable {variable} instead."
            ).format(variable=VARIABLE)
        ) from error


def is_key(header: str, key: str) -> bool:
    """Whether an Authorization header has the key; takes as long whatever is in it."""
    # Headers come as Latin-1, whatever they were encoded in.
    kind, _, given = header.encode("latin-1", "replace").partition(b" ")
    is_equal = hmac.compare_digest(given.strip(), key.encode("utf-8", "surrogateescape"))
    return is_equal and kind.lower() == b"bearer"
