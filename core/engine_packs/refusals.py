"""Why a wheel could not be downloaded, in sentences for the person."""

from __future__ import annotations

from collections.abc import Mapping

from core.engine_packs.pins import WheelPin
from core.errors import HubNeed, PackError
from core.message import Message, joined, translatable
from core.transfer.network import connection_failures
from core.transfer.retrying import Busy, GaveUp
from core.transfer.unreachable import busy_text, unreachable_text


class Refused(Exception):
    """A server does not give what was asked for; another one may."""

    @property
    def reason(self) -> str:
        """What the server does; it completes "the server …"."""
        return self.args[0]


def other_file() -> Message:
    """What is wrong with a file of another checksum; it completes "the server …"."""
    return translatable("core", "has another file under this name")


def refusal_of(status: int) -> Message:
    """What an answer with this HTTP status means; it completes "the server …"."""
    if status in (401, 403, 407):
        return translatable("core", "refuses access (HTTP {status})").format(status=status)
    if status in (404, 410):
        return translatable("core", "no longer has it")
    return translatable("core", "refuses it (HTTP {status})").format(status=status)


def not_found(wheel: WheelPin, reasons: Mapping[str, str]) -> PackError:
    """No place has the wheel; `reasons` say why, by host."""
    where = joined(
        *(
            translatable("core", "{host} {reason}").format(host=host, reason=reason)
            for host, reason in reasons.items()
        ),
        between="; ",
    )
    return PackError(
        translatable(
            "core",
            "“{name}” cannot be downloaded: {reasons}. Check pip's settings, or give a folder with "
            "the wheels.",
        ).format(
            name=wheel.filename,
            reasons=where or translatable("core", "no source is configured"),
        ),
        HubNeed.NETWORK,
    )


def unreachable_error(host: str, gave_up: GaveUp, received: int) -> PackError:
    """The server did not answer; `received` are the bytes that came over the network before."""
    error = gave_up.error
    if isinstance(error, Busy) and error.status != 200:
        return PackError(busy_text(host, error), HubNeed.NETWORK)
    if received or not isinstance(error, connection_failures()):
        return PackError(
            translatable(
                "core", "The connection to {host} was lost. Check the network, then resume."
            ).format(host=host),
            HubNeed.NETWORK,
        )
    return PackError(unreachable_text(host, error), HubNeed.NETWORK)
