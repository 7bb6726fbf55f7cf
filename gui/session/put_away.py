"""The conversations about pictures that are not shown now, to go on with when they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from core.picture import Picture
from core.transcript import Transcript
from gui.session.conversation import Conversation
from gui.session.kept_conversations import KeptConversations

_MOST = 500


class PutAway:
    """Holds the last conversation about each file, and finds those of earlier starts in the store.

    Pixels are released. Where there are very many, the oldest are found in the store again.
    """

    def __init__(self, kept: KeptConversations, is_under_way: Callable[[Conversation], bool]):
        """`is_under_way` says whether an answer in a conversation has not come to its end yet."""
        self._kept, self._is_under_way = kept, is_under_way
        self._by_path: dict[Path, Conversation] = {}
        self._awake: list[Conversation] = []

    def put(self, conversation: Conversation) -> None:
        """Put one away."""
        path = conversation.transcript.picture.path
        if path is None:
            return
        self._by_path.pop(path, None)
        self._by_path[path] = conversation
        while len(self._by_path) > _MOST:
            del self._by_path[next(iter(self._by_path))]
        self._awake.append(conversation)
        for one in [one for one in self._awake if self._can_rest(one)]:
            one.rest()
            self._awake.remove(one)

    def take(self, picture: Picture) -> Conversation:
        """Return the conversation to go on with about a picture; a new one if there is none."""
        earlier = self._by_path.pop(picture.path, None) if picture.path else None
        if earlier:
            self._awake = [one for one in self._awake if one is not earlier]
            if _is_same(earlier.transcript.picture, picture):
                earlier.resume(picture)
                return earlier
        if kept := self._kept.latest(picture):
            return Conversation(kept.transcript(picture), kept_as=kept.id)
        return Conversation(Transcript(picture))

    async def follow(self, picture: Picture) -> Collection[int]:
        """Have those about a picture that was moved follow it; return their ids in the store."""
        return self._moved(await self._kept.follow(picture), picture)

    def take_over(self, ids: Sequence[int], picture: Picture) -> Collection[int]:
        """Have these be about a picture, as a person says; return their ids in the store."""
        return self._moved(self._kept.take_over(ids, picture), picture)

    def _moved(self, ids: Sequence[int], picture: Picture) -> Collection[int]:
        for path, conversation in list(self._by_path.items()):
            if conversation.kept_as in ids:
                conversation.follow(picture)
                del self._by_path[path]
                assert picture.path
                self._by_path[picture.path] = conversation
        return ids

    def forget_empty(self) -> None:
        """Have what was not begun yet looked for in the store, which could not be read before."""
        for path, conversation in list(self._by_path.items()):
            if not conversation.transcript.tree.nodes and not self._is_under_way(conversation):
                del self._by_path[path]

    def _can_rest(self, conversation: Conversation) -> bool:
        """What is not in the store yet needs its pixels for the small copy there."""
        is_kept = conversation.kept_as is not None or not conversation.transcript.tree.nodes
        return is_kept and not self._is_under_way(conversation)


def _is_same(one: Picture, other: Picture) -> bool:
    """Returns whether both are of one content: another image may have the name now."""
    if one.identity is None or other.identity is None:
        return one.full_size == other.full_size
    return one.identity.fingerprint == other.identity.fingerprint
