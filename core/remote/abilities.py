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
    Capability.EVIDENCE: Missing(
        translatable("core", "A server does not say what words are based on, or how sure it is."),
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
    Capability.BEGINNING: Missing(
        translatable("core", "The server cannot continue a text that is given."), _LOAD_HERE
    ),
}
"""What some servers cannot."""


def missing_on(servers: Sequence[Server]) -> dict[Capability, Missing]:
    """Returns what none of these servers can do, with the reason and what the user can do about it.

    A server that was not asked yet counts as one that can.
    """
    lacking = set[Capability].intersection(*(server.refused.missing for server in servers))
    return _NOWHERE | {one: _NOT_HERE[one] for one in Capability if one in lacking}
