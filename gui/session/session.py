"""What a person can do in a conversation: ask, stop, ask again, strike out, reopen. No widgets."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from core.engine import Ready
from core.errors import AppError, EngineError, StoreError
from core.picture import Picture, open_picture
from core.store import KeptConversation, Store, StoreBeingMended, Summary
from core.transcript import Answer, Sampling, Span, Transcript
from gui.session.conversation import Conversation, as_text
from gui.session.engine_jobs import OnPiece
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.session.settings_file import SettingsFile
from gui.widgets.translated import translated

ANOTHER_TEMPERATURE = 0.7
LAST_WORDS_SECONDS = 1.0
RECENT = 20

log = logging.getLogger(__name__)

translate = QCoreApplication.translate


class Session(QObject):
    """The conversation about the picture that is shown, and what is kept of it.

    `conversation_cleared()`, `conversation_cut(int)`: how many exchanges are left.
    `conversation_reopened(Transcript)`: an earlier one, to go on with.
    `answer_begun(str prompt)`, `piece_received(str)`, `answer_finished(Answer)`,
    `answer_failed(AppError)`. `answer_struck(int, tuple, bool)`: what is now struck out of the
    answer at an index, as spans, and whether that can be undone. `ask_refused(str prompt)`: not
    asked, a notice says why. `mending_begun()`: the file of conversations turned out to be damaged;
    await `opened_notes`. `noticed(str)`: a sentence to show.

    An expected failure is a signal with a sentence to show. An unexpected one is raised by the
    coroutine, after the signal that puts the window right.
    """

    conversation_cleared = Signal()
    conversation_cut = Signal(int)
    conversation_reopened = Signal(object)
    answer_begun = Signal(str)
    piece_received = Signal(str)
    answer_finished = Signal(object)
    answer_failed = Signal(object)
    answer_struck = Signal(int, object, bool)
    ask_refused = Signal(str)
    mending_begun = Signal()
    noticed = Signal(str)

    def __init__(
        self,
        model: ModelThread,
        loaded: LoadedModel,
        pictures: PictureList,
        store: Store,
        settings_file: SettingsFile,
        parent: QObject | None = None,
    ):
        """Connect before the window does: a picture that opens first begins a conversation."""
        super().__init__(parent)
        self._model = model
        self._loaded = loaded
        self._pictures = pictures
        self._store = store
        self._settings_file = settings_file
        self._settings = settings_file.settings
        self.asks_about_all = False
        self._conversation: Conversation | None = None
        self._under_way: set[Conversation] = set()
        self._waiting_to_be_kept: list[Conversation] = []
        self._is_closed = False
        pictures.opened.connect(self._begin_conversation)

    @property
    def conversation(self) -> Conversation | None:
        """The conversation about the picture that is shown; None before the first picture."""
        return self._conversation

    @property
    def picture(self) -> Picture | None:
        """The picture that the conversation is about."""
        return self._conversation.transcript.picture if self._conversation else None

    @property
    def transcript(self) -> Transcript | None:
        """The conversation so far, without the answer under way."""
        return self._conversation.transcript if self._conversation else None

    @property
    def is_answering(self) -> bool:
        """Whether an answer in the conversation shown is under way, or waits for the model."""
        return self._conversation in self._under_way

    # Questions

    async def ask(self, prompt: str) -> None:
        """Ask about the picture, and wait for the answer."""
        prompt = prompt.strip()
        if not prompt:
            return
        self._settings.remember_prompt(prompt)
        if conversation := await self._free_conversation(prompt):
            await self._answer(conversation, prompt, self._settings.sampling)
        await self._settings_file.save()

    async def regenerate(self) -> None:
        """Answer the last question again, in other words; the replaced answer stays kept."""
        conversation = await self._free_conversation()
        if not conversation or not conversation.transcript.exchanges:
            return
        sampling = self._settings.sampling
        if sampling.temperature == 0:
            # Greedy decoding would generate the same answer again.
            sampling = replace(sampling, temperature=ANOTHER_TEMPERATURE)
        last = len(conversation.transcript.exchanges) - 1
        prompt = conversation.transcript.exchanges[last].prompt
        await self._answer(self._cut(conversation, last), prompt, replace(sampling, seed=None))

    async def ask_again(self, index: int, prompt: str) -> None:
        """Ask `prompt` in place of question `index`; what came after stays kept, not shown."""
        prompt = prompt.strip()
        conversation = await self._free_conversation()
        if not prompt or not conversation:
            return
        self._settings.remember_prompt(prompt)
        await self._answer(self._cut(conversation, index), prompt, self._settings.sampling)

    def stop(self) -> None:
        """End the answer under way; its text so far is kept."""
        self._model.stop()

    # The conversation as a whole

    def new_conversation(self) -> None:
        """Begin another conversation about the same picture; the one before stays kept."""
        if self._conversation:
            self._begin_conversation(self._conversation.transcript.picture)

    async def opened_notes(self) -> tuple[str, ...]:
        """Wait until the file of conversations is open, and return what became of it.

        That takes long for a large file. What was asked meanwhile is kept then.
        """
        await asyncio.wrap_future(self._store.opening)
        waiting, self._waiting_to_be_kept = self._waiting_to_be_kept, []
        notes = () if self._is_closed else self._store.take_notes()
        for conversation in waiting:
            self._keep(conversation)
        return notes

    def recent_conversations(self) -> list[Summary]:
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

    async def reopen(self, id: int) -> None:
        """Go on with an earlier conversation, its picture opened again."""
        with self._pictures.opening("") as opening:
            kept = await self._kept(id)
            if picture := await self._pictures.open_kept(opening, kept):
                self._conversation = Conversation(kept.transcript(picture), kept_as=id)
                self.conversation_reopened.emit(self._conversation.transcript)

    async def write_transcript(self, path: Path) -> None:
        """Write the conversation as text. A failure is a notice."""
        if not self._conversation:
            return
        text = as_text(self._conversation.transcript)
        try:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or translated(error)
            text = self.tr("“{name}” cannot be written ({reason}). Choose another folder.")
            self.noticed.emit(text.format(name=path.name, reason=reason))

    def strike(self, index: int, span: Span, *, is_struck: bool) -> None:
        """Strike a part of answer `index` out, or restore it; the answer itself stays kept."""
        conversation = self._conversation
        if conversation and index < len(conversation.transcript.exchanges):
            conversation.strike(index, span, is_struck=is_struck)
            self._report_struck(conversation, index)

    def undo_strike(self) -> None:
        """Take back the last striking out, or restoring, in this conversation."""
        conversation = self._conversation
        if conversation and conversation.strike_history:
            self._report_struck(conversation, conversation.undo_strike())

    async def close(self) -> None:
        """Stop, keep the text so far of answers under way, and close the store."""
        self._is_closed = True
        self._pictures.close()
        self._model.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                for conversation in list(self._under_way):
                    await conversation.is_answered.wait()
        for conversation in list(self._under_way):
            self._end_answer(conversation, conversation.partial_answer())
        if self._waiting_to_be_kept:  # Else a file that is not checked yet is closed as it is.
            await self.opened_notes()
        self._store.close()

    # Inside

    @Slot(object)
    def _begin_conversation(self, picture: Picture) -> None:
        if self.is_answering:
            self._model.stop()
        self._conversation = Conversation(Transcript(picture))
        self.conversation_cleared.emit()

    def _cut(self, conversation: Conversation, index: int) -> Conversation:
        """Go on from before question `index`, in a conversation that is kept by itself."""
        self._conversation = conversation.cut(index)
        self.conversation_cut.emit(index)
        return self._conversation

    def _report_struck(self, conversation: Conversation, index: int) -> None:
        self._keep(conversation)
        struck = conversation.transcript.exchanges[index].struck
        self.answer_struck.emit(index, struck, bool(conversation.strike_history))

    async def _free_conversation(self, prompt: str = "") -> Conversation | None:
        """Return the conversation if something can be asked in it now; else say why not."""
        # A question asked while a picture opens is about that picture.
        await self._pictures.wait_until_opened()
        if self._is_closed:
            return None
        if not self._conversation:
            reason = self.tr("Open an image first. Drop it on the window, or paste it.")
        elif self._model.is_used_exclusively:
            reason = self.tr("A folder run is using the model. Pause it, then ask again.")
        elif self.is_answering:
            reason = self.tr("An answer is being generated. Stop it, then ask again.")
        else:
            return self._conversation
        self.ask_refused.emit(prompt)
        self.noticed.emit(reason)
        return None

    async def _other_pictures(self) -> tuple[Picture, ...]:
        """If all are asked about, open the other pictures of the list, up to the model's limit."""
        state = self._model.state
        if not self.asks_about_all or not isinstance(state, Ready):
            return ()
        paths, most = self._pictures.others, state.facts.most_pictures
        if most > 1 and len(paths) >= most:
            text = self.tr("The model takes {count} images at a time. The others are left out.")
            self.noticed.emit(text.format(count=most))
        return tuple([await asyncio.to_thread(open_picture, path) for path in paths[: most - 1]])

    async def _answer(self, conversation: Conversation, prompt: str, sampling: Sampling) -> None:
        request = conversation.begin_answer(prompt, sampling)
        self._under_way.add(conversation)
        self.answer_begun.emit(prompt)
        try:
            request = replace(request, others=await self._other_pictures())
            answer = await self._model.answer(request, self._piece_listener(conversation))
        except asyncio.CancelledError:
            self._end_answer(conversation, conversation.partial_answer())
            raise
        except Exception as error:
            self._end_answer(conversation, conversation.partial_answer())
            if conversation is self._conversation:
                self.answer_failed.emit(_for_reader(error))
            if not isinstance(error, AppError):
                raise
        else:
            self._end_answer(conversation, answer)
            if conversation is self._conversation:
                self.answer_finished.emit(answer)
                if answer.left_out:
                    self.noticed.emit(
                        self.tr(
                            "The conversation is too long for the model. Older questions were "
                            "left out."
                        )
                    )

    def _piece_listener(self, conversation: Conversation) -> OnPiece:
        def on_piece(piece: str) -> None:
            if not conversation.pieces:
                # By the end of the answer the next model may already be loaded.
                conversation.model = self._loaded.name
            conversation.pieces.append(piece)
            if conversation is self._conversation:
                self.piece_received.emit(piece)

        return on_piece

    def _end_answer(self, conversation: Conversation, answer: Answer | None) -> None:
        """Put the answer into the transcript and keep it, whatever became of it."""
        if conversation in self._under_way:  # Else `close` has done so already.
            self._under_way.remove(conversation)
            conversation.end_answer(answer)
            self._keep(conversation)

    async def _kept(self, id: int) -> KeptConversation:
        await asyncio.wrap_future(self._store.opening)
        try:
            return self._store.open(id)
        except StoreBeingMended:
            self.mending_begun.emit()
        await asyncio.wrap_future(self._store.opening)
        return self._store.open(id)

    def _keep(self, conversation: Conversation) -> None:
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
        self._report_store_notes()

    def _keep_later(self, conversation: Conversation) -> None:
        if conversation not in self._waiting_to_be_kept:
            self._waiting_to_be_kept.append(conversation)

    def _report_store_notes(self) -> None:
        """Say what became of the file of conversations while it was used."""
        for note in self._store.take_notes():
            log.warning(note)
            self.noticed.emit(translated(note))


def _for_reader(error: Exception) -> AppError:
    if isinstance(error, AppError):
        return error
    return EngineError(
        translate("Session", "The model failed unexpectedly. Ask again, or reload the model.")
    )
