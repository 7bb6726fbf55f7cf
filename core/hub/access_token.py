"""The person's access token for gated models: in the system's keyring and nowhere else."""

from __future__ import annotations

from core.message import translatable
from core.secret import Secret


class AccessToken(Secret):
    """The token that the hub is given, the same for every model."""

    def __init__(self) -> None:
        super().__init__("hub access token")

    @property
    def forgotten(self) -> str:
        """Says that the system has no keyring, and what becomes of the token."""
        return translatable(
            "core",
            "This system has no keyring, so the access token is forgotten when "
            "Onlooker closes. Install the system's keyring to keep it.",
        )
