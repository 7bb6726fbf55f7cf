"""Finds out whether an image that nothing is known of may be one that was moved and rewritten."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.file_identity import is_gone
from core.message import translatable
from core.picture import Picture
from core.store import KeptPlace
from core.workspace import EditReport, gone_alike
from gui.session.session import Session
from gui.session.workspace import FolderWorkspace

# Who pages through images looks at none of them for long.
_SETTLE_MS = 300
# A disk that is away may take long to say so.
_MOST_SECONDS = 2
_TAKEN_OVER = translatable("core", "Take over")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Successor:
    """An image at `path` that looks like the one that was at `old.path`, which is gone."""

    path: Path
    old: KeptPlace


class GoneImages(QObject):
    """`found(Successor)`: the image that is shown, of which nothing is known, may be one that is
    gone. Each pair is found once. `noticed(str)`: why nothing is taken over."""

    found = Signal(object)
    noticed = Signal(str)

    def __init__(
        self,
        session: Session,
        workspace: FolderWorkspace,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._session, self._workspace, self._begin = session, workspace, begin
        self._found: set[tuple[Path, Path]] = set()
        self._timer = QTimer(self, interval=_SETTLE_MS, singleShot=True)
        self._timer.timeout.connect(self._on_settled)
        session.conversation_cleared.connect(self._timer.start)

    @Slot()
    def _on_settled(self) -> None:
        self._begin(self._look())

    async def _look(self) -> None:
        picture = self._session.picture
        if picture is None or picture.path is None or not self._is_new(picture):
            return
        pixels = picture.pixels
        if not (places := self._session.kept.places(pixels.width / pixels.height)):
            return
        looking = partial(gone_alike, pixels, str(picture.path), places)
        try:
            alike = await asyncio.wait_for(asyncio.to_thread(looking), _MOST_SECONDS)
        except TimeoutError:
            log.warning("Images that are gone are not looked for, as a disk is slow")
            return
        left = [one for one in alike if (one.path, picture.path) not in self._found]
        if left and picture is self._session.picture and self._is_new(picture):
            self._found.add((left[0].path, picture.path))
            self.found.emit(Successor(picture.path, left[0]))

    def _is_new(self, picture: Picture) -> bool:
        """Whether nothing was asked about an image, now or earlier."""
        transcript = self._session.transcript
        has_exchanges = transcript is not None and transcript.exchanges
        return not has_exchanges and self._session.kept.latest(picture) is None

    async def take_over(self, successor: Successor) -> None:
        """Let the image have the conversation, the review, the draft and the note of the one that
        is gone, as far as it has none of its own."""
        picture = self._session.picture
        if picture is None or picture.path != successor.path:
            return
        old = successor.old
        if not await asyncio.to_thread(is_gone, str(old.path), old.volume):
            text = self.tr("“{name}” is there again, so it keeps its conversation.")
            self.noticed.emit(text.format(name=old.path.name))
            return
        await self._session.return_to_earlier(old.ids)
        was, new = map(os.fspath, (old.path, successor.path))
        id = await self._workspace.read(lambda workspace: workspace.gone.take_over(was, new))
        if id is not None:
            self._workspace.take_report(EditReport(_TAKEN_OVER, (id,)))
