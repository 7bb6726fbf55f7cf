"""Lets the model get ready for a question about the image that is shown, while a person types."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Slot

from core.engine import ModelState, Ready, get_ready
from core.errors import AppError
from core.picture import Picture
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList

if TYPE_CHECKING:
    from core.engine import Engine

# Whoever goes from image to image asks about none of them.
_PAUSE_MS = 150

log = logging.getLogger(__name__)


class LookAhead(QObject):
    """Prepares the image that is shown once it stays for a moment, or once the model is loaded.

    It gives way to questions and all other work, and does not load a model that is unloaded.
    """

    def __init__(
        self,
        model: ModelThread,
        pictures: PictureList,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._model, self._pictures, self._begin = model, pictures, begin
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._timer.timeout.connect(self._on_timeout)
        pictures.opened.connect(self._on_opened)
        model.state_changed.connect(self._on_state_changed)

    @Slot(object)
    def _on_opened(self, picture: Picture) -> None:
        self._timer.start()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if isinstance(state, Ready):
            self._timer.start()

    @Slot()
    def _on_timeout(self) -> None:
        model, picture = self._model, self._pictures.picture
        is_ready = isinstance(model.state, Ready) and not model.is_idle_unloaded
        if picture is None or not is_ready or model.is_busy or model.is_used_exclusively:
            return
        self._begin(self._get_ready(picture))

    async def _get_ready(self, picture: Picture) -> None:
        try:
            await self._model.run_read_only(partial(_get_ready, picture))
        except AppError as failure:
            # Something else is wanted of the model, or a question about the image will say why.
            log.info("Not ready for “%s”: %s", picture.name, failure)


def _get_ready(picture: Picture, engine: Engine, _: threading.Event) -> None:
    get_ready(engine, picture)
