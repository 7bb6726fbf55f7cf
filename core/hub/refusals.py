"""Why the hub gave nothing, as errors for the person: out of reach, or refused."""

from __future__ import annotations

from core.errors import HubError, HubNeed
from core.message import translatable
from core.transfer.retrying import Busy
from core.transfer.unreachable import busy_text, unreachable_text


def unreachable(
    host: str | None, error: Exception, asked: float | None, *, was_receiving: bool
) -> HubError:
    """Returns the error for `host`, of which the last attempt failed with `error`.

    `asked` are the seconds for which it asked us to wait. `was_receiving`: a part of the download
    has arrived.
    """
    if isinstance(error, Busy) and error.status == 429:
        minutes = f"{max(1, round((asked or 60) / 60))} min"
        return HubError(
            translatable(
                "core",
                "{host} received too many requests. Try again in {minutes}.",
            ).format(host=host, minutes=minutes),
            HubNeed.NETWORK,
        )
    if isinstance(error, Busy) and error.status != 200:
        return HubError(busy_text(host, error), HubNeed.NETWORK)
    if was_receiving:
        return HubError(
            translatable(
                "core",
                "The connection to {host} was lost. Check the network, then resume the download.",
            ).format(host=host),
            HubNeed.NETWORK,
        )
    return HubError(unreachable_text(host, error), HubNeed.NETWORK)


def refused(hub_id: str, page: str, status: int, code: str | None, *, has_token: bool) -> HubError:
    """Returns the error for an answer of the hub with this HTTP `status` and error `code`.

    `page` is where people read about the model. `has_token`: an access token was sent.
    """
    if code == "GatedRepo" or status == 403:
        return _gated(hub_id, page, has_token=has_token)
    if status == 401 and has_token and code != "RepoNotFound":
        return HubError(
            translatable(
                "core",
                "The hub rejected the access token. Enter another one.",
            ),
            HubNeed.TOKEN,
        )
    if status == 401 or (status == 404 and code in (None, "RepoNotFound")):
        return HubError(
            translatable(
                "core",
                "The hub has no public model “{name}”. Check the name, or enter an access "
                "token with read permission.",
            ).format(name=hub_id),
            HubNeed.TOKEN,
        )
    if status == 404:
        return HubError(
            translatable(
                "core",
                "“{name}” changed on the hub while it was read. Try again.",
            ).format(name=hub_id)
        )
    return HubError(
        translatable(
            "core",
            "The hub refused “{name}” (HTTP {status}). Choose another model.",
        ).format(name=hub_id, status=status)
    )


def _gated(hub_id: str, page: str, *, has_token: bool) -> HubError:
    if has_token:
        return HubError(
            translatable(
                "core",
                "“{name}” requires accepting its licence. Accept it at {page}, then try again.",
            ).format(name=hub_id, page=page),
            HubNeed.LICENCE,
        )
    return HubError(
        translatable(
            "core",
            "“{name}” requires accepting its licence. Accept it at {page}, then enter "
            "your access token.",
        ).format(name=hub_id, page=page),
        HubNeed.TOKEN,
    )
