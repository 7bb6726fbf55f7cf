"""Why a server gave nothing, in sentences that hold for every kind of server."""

from __future__ import annotations

import re

from core.message import Message, translatable
from core.transfer.retrying import Busy


def busy_text(host: str | None, error: Busy) -> Message:
    """Returns what is said of a server that cannot answer now."""
    return translatable(
        "core", "{host} cannot answer now (HTTP {status}). Try again later."
    ).format(host=host, status=error.status)


def unreachable_text(host: str | None, error: Exception) -> Message:
    """Returns what is said of a server that did not answer at all."""
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).strip(" .") or type(error).__name__
    return translatable(
        "core",
        "{host} cannot be reached ({reason}). Check the network and the proxy, then try again.",
    ).format(host=host, reason=reason)
