"""A question that was asked while no model is loaded: it waits for one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.engine import Failed, ModelState, Ready
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.session.session import Session
from gui.session.settings_file import SettingsFile


class WaitingQuestion(QObject):
    """Asks the session as soon as a model is loaded.

    `changed()`: `prompt` is another. `given_back(str)`: the question is not asked, since it was
    taken back, another conversation is shown or no model could be loaded; it is to be edited.
    """

    changed = Signal()
    given_back = Signal(str)

    def __init__(
        self,
        model: ModelThread,
        loaded: LoadedModel,
        pictures: PictureList,
        session: Session,
        settings_file: SettingsFile,
        begin: Callable[[Coroutine[Any, Any, None]], None],
        parent: QObject | None = None,
    ):
        """Connect after the session and before the window does."""
        super().__init__(parent)
        self._model, self._loaded, self._pictures = model, loaded, pictures
        self._session, self._settings_file, self._begin = session, settings_file, begin
        self._prompt = ""
        model.state_changed.connect(self._on_state_changed)
        session.answer_begun.connect(self._on_over)
        session.ask_refused.connect(self._on_over)
        session.conversation_cleared.connect(self.take_back)
        session.conversation_reopened.connect(self.take_back)
        session.conversation_returned.connect(self.take_back)

    @property
    def prompt(self) -> str:
        """The question that waits; "" for none."""
        return self._prompt

    async def ask(self, prompt: str) -> None:
        """Ask now if a model is loaded, else once one is. One that is idle is loaded for it."""
        # A question asked while a picture opens is about that picture.
        await self._pictures.wait_until_opened()
        if not prompt.strip():
            return
        if isinstance(self._model.state, Ready) or self._session.picture is None or self._prompt:
            await self._session.ask(prompt)
            return
        self._settings_file.settings.remember_prompt(prompt.strip())
        self._set(prompt)
        if self._model.is_idle_unloaded:
            await self._loaded.load(self._model.choice)

    @Slot()
    def take_back(self) -> None:
        """Do not ask it; it is given back."""
        prompt = self._prompt
        if prompt:
            self._set("")
            self.given_back.emit(prompt)

    def _set(self, prompt: str) -> None:
        if prompt != self._prompt:
            self._prompt = prompt
            self.changed.emit()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if self._prompt and isinstance(state, Ready):
            self._begin(self._session.ask(self._prompt))
        elif isinstance(state, Failed):
            self.take_back()

    @Slot()
    def _on_over(self) -> None:
        """It is asked, or given back by who refused it."""
        self._set("")
