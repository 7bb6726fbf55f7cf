"""Keeps conversations in the store; what cannot be kept, or read, is a notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from core.errors import StoreError
from core.picture import Picture
from core.store import KeptConversation, KeptPlace, Store, StoreBeingMended, Summary, followed
from gui.session.conversation import Conversation
from gui.widgets.translated import translated

RECENT = 20
# So long an image waits to be shown for a disk that may still have it.
_MOST_SECONDS = 2

log = logging.getLogger(__name__)


class KeptConversations(QObject):
    """The file of conversations, which may still be checked: what is kept meanwhile waits for it.

    `mending_begun()`: the file turned out to be damaged; await `opened_notes`. `noticed(str)`: what
    became of the file, or why something is not kept.
    """

    mending_begun = Signal()
    noticed = Signal(str)

    def __init__(self, store: Store, parent: QObject | None = None):
        super().__init__(parent)
        self._store = store
        self._waiting: list[Conversation] = []
        self._is_closed = False

    async def opened_notes(self) -> tuple[str, ...]:
        """Wait until the file is open, and return what became of it.

        That takes long for a large file. What was to be kept meanwhile is kept then.
        """
        await asyncio.wrap_future(self._store.opening)
        waiting, self._waiting = self._waiting, []
        notes = () if self._is_closed else self._store.take_notes()
        for conversation in waiting:
            self.keep(conversation)
        return notes

    def recent(self) -> list[Summary]:
        """Return the kept conversations, newest first; [] with a notice if they cannot be read."""
        if not self._store.is_open:
            self.noticed.emit(
                self.tr("Earlier conversations are still being checked. Try again soon.")
            )
            return []
        try:
            return self._store.recent(RECENT)
        except StoreBeingMended as error:
            self.noticed.emit(translated(error))
            self.mending_begun.emit()
        except StoreError as error:
            self.noticed.emit(translated(error))
        return []

    async def open(self, id: int) -> KeptConversation:
        """Return an earlier conversation. Raises StoreError if it cannot be read."""
        await asyncio.wrap_future(self._store.opening)
        try:
            return self._store.open(id)
        except StoreBeingMended:
            self.mending_begun.emit()
        await asyncio.wrap_future(self._store.opening)
        return self._store.open(id)

    def latest(self, picture: Picture) -> KeptConversation | None:
        """Return what was last asked about this file; None if nothing was, or it changed since."""
        if not self._store.is_open:
            return None
        try:
            return self._store.latest(picture)
        except StoreBeingMended:
            self.mending_begun.emit()
            return None
        except StoreError as error:
            log.warning("Earlier conversations about an image are not read", exc_info=error)
            return None

    async def follow(self, picture: Picture) -> Sequence[int]:
        """Have the conversations about a picture that was moved, or written anew, be about its file
        as it is now. Return their ids. Raises nothing: they are found the next time."""
        if not self._store.is_open:
            return ()
        try:
            if not (known := self._store.images(picture)):
                return ()
            looking = asyncio.to_thread(followed, picture, known)
            ids = await asyncio.wait_for(looking, _MOST_SECONDS)
            if ids and self._store.is_open:
                self._store.follow(ids, picture)
                return ids
        except StoreBeingMended:
            self.mending_begun.emit()
        except (StoreError, TimeoutError) as error:
            log.warning("Earlier conversations about an image are not found", exc_info=error)
        return ()

    def places(self, shape: float) -> Sequence[KeptPlace]:
        """Return where the images of the newest conversations were whose width by their height is
        nearly `shape`; () if that cannot be read."""
        if not self._store.is_open:
            return ()
        try:
            return self._store.places(shape)
        except StoreBeingMended:
            self.mending_begun.emit()
        except StoreError as error:
            log.warning("Earlier conversations are not read", exc_info=error)
        return ()

    def take_over(self, ids: Sequence[int], picture: Picture) -> Sequence[int]:
        """Have these conversations be about a picture. Return their ids, () with a notice if they
        cannot be changed."""
        try:
            self._store.follow(ids, picture)
        except StoreBeingMended as error:
            self.mending_begun.emit()
            self.noticed.emit(translated(error))
        except StoreError as error:
            self.noticed.emit(translated(error))
        else:
            return ids
        return ()

    def keep(self, conversation: Conversation) -> None:
        """Keep a conversation, or what it has become."""
        if not self._store.is_open:
            self._keep_later(conversation)
            return
        try:
            conversation.kept_as = self._store.save(conversation.transcript, conversation.kept_as)
        except StoreBeingMended:
            self._keep_later(conversation)
            self.mending_begun.emit()
            return
        except StoreError as error:
            log.warning("The conversation is not kept", exc_info=error)
            self.noticed.emit(translated(error))
        self._report_notes()

    async def close(self) -> None:
        """Keep what waits, and close the file."""
        self._is_closed = True
        if self._waiting:  # Else a file that is not checked yet is closed as it is.
            await self.opened_notes()
        self._store.close()

    def _keep_later(self, conversation: Conversation) -> None:
        if conversation not in self._waiting:
            self._waiting.append(conversation)

    def _report_notes(self) -> None:
        """Say what became of the file while it was used."""
        for note in self._store.take_notes():
            log.warning(note)
            self.noticed.emit(translated(note))
