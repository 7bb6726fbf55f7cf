"""A question that was asked while no model is loaded: it waits for one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.engine import Failed, ModelState, Ready
from core.picture import PicturePart
from gui.session.conversation import Conversation
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.session.session import Session
from gui.session.settings_file import SettingsFile

_END = -1


class WaitingQuestion(QObject):
    """Asks the session as soon as a model is loaded.

    `changed()`: `prompt` is another. `given_back(str, int)`: the question is not asked, since it
    was taken back, another conversation is shown or no model could be loaded; it is to be edited,
    in place of the exchange at this index unless that is -1. It is "" if nothing is to be edited.
    """

    changed = Signal()
    given_back = Signal(str, int)

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
        self._prompt, self._index = "", _END
        self._part: PicturePart | None = None
        self._conversation: Conversation | None = None
        model.state_changed.connect(self._on_state_changed)
        session.answer_begun.connect(self._on_asked)
        session.ask_refused.connect(self._on_refused)
        session.conversation_cleared.connect(self.take_back)
        session.conversation_reopened.connect(self.take_back)
        session.conversation_returned.connect(self.take_back)

    @property
    def prompt(self) -> str:
        """The question that waits; "" for none."""
        return self._prompt

    @property
    def index(self) -> int:
        """The exchange in whose place it is to be asked; -1 for the end of the conversation."""
        return self._index

    async def ask(self, prompt: str, part: PicturePart | None = None) -> None:
        """Ask about a part of the picture, None for all of it: now if a model is loaded, else once
        one is. One that is idle is loaded for it."""
        # A question asked while a picture opens is about that picture.
        asked_in = self._session.conversation
        await self._pictures.wait_until_opened()
        if not prompt.strip():
            return
        if self._session.conversation is not asked_in:
            part = None
        if self._can_ask_now:
            await self._session.ask(prompt, part)
            return
        self._settings_file.settings.remember_prompt(prompt.strip())
        self._part = part
        await self._wait(prompt)

    async def ask_again(self, index: int, prompt: str) -> None:
        """Ask `prompt` in place of question `index`, as `ask` does."""
        transcript = self._session.transcript
        if self._can_ask_now or transcript is None or not index < len(transcript.exchanges):
            await self._session.ask_again(index, prompt)
        elif prompt.strip():
            await self._wait(prompt, index)

    async def regenerate(self) -> None:
        """Ask the last question again, as `ask` does."""
        transcript = self._session.transcript
        if self._can_ask_now or transcript is None or not transcript.exchanges:
            await self._session.regenerate()
        else:
            await self._wait(transcript.exchanges[-1].prompt, len(transcript.exchanges) - 1)

    @Slot()
    def take_back(self) -> None:
        """Do not ask it; it is given back."""
        prompt, index = self._prompt, self._index
        if not prompt:
            return
        transcript = self._session.transcript
        is_shown = self._session.conversation is self._conversation and transcript is not None
        if not is_shown:
            index = _END
        elif index != _END and transcript and prompt == transcript.exchanges[index].prompt:
            prompt = ""  # The conversation has it already.
        self._set("")
        self.given_back.emit(prompt, index)

    @property
    def _can_ask_now(self) -> bool:
        """Whether the session can be asked, or says itself why not."""
        is_ready = isinstance(self._model.state, Ready)
        return is_ready or self._session.picture is None or bool(self._prompt)

    async def _wait(self, prompt: str, index: int = _END) -> None:
        self._conversation = self._session.conversation
        self._set(prompt, index)
        if self._model.is_idle_unloaded:
            await self._loaded.load(self._model.choice)

    def _set(self, prompt: str, index: int = _END) -> None:
        if prompt != self._prompt:
            self._prompt, self._index = prompt, index
            self.changed.emit()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if self._prompt and isinstance(state, Ready):
            if self._index == _END:
                self._begin(self._session.ask(self._prompt, self._part))
            else:
                self._begin(self._session.ask_again(self._index, self._prompt))
        elif isinstance(state, Failed):
            self.take_back()

    @Slot()
    def _on_asked(self) -> None:
        self._set("")

    @Slot()
    def _on_refused(self) -> None:
        """It is given back by who refused it; what stood in its place is shown again."""
        index = self._index
        self._set("")
        if index != _END:
            self.given_back.emit("", index)
