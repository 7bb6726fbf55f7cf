"""What a model on servers cannot do: through this API at all, and on the servers that are used."""

from __future__ import annotations

from collections.abc import Sequence

from core.engine import SETTINGS, Capability, Missing
from core.message import translatable
from core.remote.server import Server

_LOAD_HERE = translatable("core", "Load LLaVA-1.5 on this computer.")
_IGNORED = Missing(
    translatable("core", "The server ignores this setting. Its own default applies."), _LOAD_HERE
)
_NOWHERE = {
    Capability.EARLIER: Missing(
        translatable("core", "A server says how sure it is only of an answer that it gives now."),
        _LOAD_HERE,
    ),
    Capability.MAPS: Missing(
        translatable("core", "A server does not say where in the image a word rests."), _LOAD_HERE
    ),
    Capability.AVOIDING: Missing(
        translatable("core", "A model on a server cannot avoid words."), _LOAD_HERE
    ),
    Capability.BEAMS: Missing(
        translatable("core", "A model on a server has no beam search."), _LOAD_HERE
    ),
    Capability.TRACE: Missing(
        translatable("core", "A server does not show what goes on inside the model."), _LOAD_HERE
    ),
}
"""What no server can."""
_NOT_HERE = {
    **dict.fromkeys(SETTINGS, _IGNORED),
    Capability.EVIDENCE: Missing(
        translatable("core", "The server does not say how sure its model is of each word."),
        _LOAD_HERE,
    ),
    Capability.BEGINNING: Missing(
        translatable("core", "The server cannot continue a text that is given."), _LOAD_HERE
    ),
}
"""What some servers cannot."""


def missing_on(servers: Sequence[Server]) -> dict[Capability, Missing]:
    """Returns what none of these servers can do, with the reason and what the user can do about it.

    A server that was not asked yet counts as one that follows settings.
    """
    lacking = set[Capability].intersection(*map(_missing_on, servers))
    return _NOWHERE | {one: _NOT_HERE[one] for one in Capability if one in lacking}


def _missing_on(server: Server) -> set[Capability]:
    return server.refused.missing | (set() if server.gives_scores else {Capability.EVIDENCE})
