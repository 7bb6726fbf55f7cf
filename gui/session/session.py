"""What a person can do in a conversation: ask, stop, ask again, strike out, reopen. No widgets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from core.picture import Picture, PicturePart
from core.store import Store, Summary
from core.transcript import Span, Transcript
from gui.session.answering import Answering
from gui.session.conversation import Conversation, as_text
from gui.session.history import Chosen, Step, Struck
from gui.session.kept_conversations import KeptConversations
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.session.put_away import PutAway
from gui.session.settings_file import SettingsFile
from gui.widgets.translated import translated


class Session(QObject):
    """The conversation about the picture that is shown, and what is kept of it.

    `conversation_cleared()`, `conversation_cut(int)`: how many exchanges are left.
    `conversation_reopened(Transcript)`: an earlier one, to go on with; a person chose it.
    `conversation_returned(Transcript)`: the last one about the picture that was opened.
    `branch_shown(int, Transcript)`: from this index on, other exchanges are shown.
    `answer_begun(str prompt)`, `piece_received(str)`, `answer_finished(Answer)`,
    `answer_failed(AppError)`. `answer_retried()`: what was received is the same as before, and one
    more try begins. `answer_repeated(int)`: no try for the answer at an index gave another one.
    `variants_changed(int, Variants)`: what else there is in the place of the exchange at an index.
    `prompt_misread(int, tuple)`: parts of question `index` that the model was not trained on.
    `answer_struck(int, tuple, bool)`: what is now struck out of the answer at an index, as spans,
    and whether that can be undone. `history_changed()`: something else can be undone or redone.
    `ask_refused(str prompt)`: not asked, a notice says why. `mending_begun()`: the file of
    conversations turned out to be damaged; await `opened_notes`. `noticed(str)`: a sentence.

    An expected failure is a signal with a sentence to show. An unexpected one is raised by the
    coroutine, after the signal that puts the window right.
    """

    conversation_cleared = Signal()
    conversation_cut = Signal(int)
    conversation_reopened = Signal(object)
    conversation_returned = Signal(object)
    branch_shown = Signal(int, object)
    answer_begun = Signal(str)
    piece_received = Signal(str)
    answer_finished = Signal(object)
    answer_failed = Signal(object)
    answer_retried = Signal()
    answer_repeated = Signal(int)
    variants_changed = Signal(int, object)
    prompt_misread = Signal(int, object)
    history_changed = Signal()
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
        self._model, self._loaded, self._pictures = model, loaded, pictures
        self.kept = KeptConversations(store, self)
        self.kept.mending_begun.connect(self.mending_begun)
        self.kept.noticed.connect(self.noticed)
        self._settings_file, self._settings = settings_file, settings_file.settings
        self._is_closed = False
        self._answering = Answering(model, loaded, pictures, self.kept, self)
        self._relay(self._answering)
        self._put_away = PutAway(self.kept, self._answering.is_answering_in)
        pictures.prepare_with(self._follow)
        pictures.opened.connect(self._find_conversation)
        pictures.emptied.connect(self._end_conversation)

    @property
    def asks_about_all(self) -> bool:
        """Whether questions are about all pictures of the list, as many as the model takes."""
        return self._answering.asks_about_all

    @asks_about_all.setter
    def asks_about_all(self, asks_about_all: bool) -> None:
        self._answering.asks_about_all = asks_about_all

    @property
    def conversation(self) -> Conversation | None:
        """The conversation about the picture that is shown; None before the first picture."""
        return self._answering.shown

    @property
    def picture(self) -> Picture | None:
        """The picture that the conversation is about."""
        return self.conversation.transcript.picture if self.conversation else None

    @property
    def transcript(self) -> Transcript | None:
        """The conversation so far, without the answer under way."""
        return self.conversation.so_far if self.conversation else None

    @property
    def is_answering(self) -> bool:
        """Whether an answer in the conversation shown is under way, or waits for the model."""
        return self._answering.is_under_way

    @property
    def asked_part(self) -> PicturePart | None:
        """The part of the picture that the question under way is about; None for all of it."""
        return self.conversation.part if self.conversation else None

    # Questions

    async def ask(self, prompt: str, part: PicturePart | None = None) -> None:
        """Ask about the picture, or a part of it, and wait for the answer."""
        prompt = prompt.strip()
        if not prompt:
            return
        self._settings.remember_prompt(prompt)
        if conversation := await self._free_conversation(prompt):
            samplings = (self._settings.sampling,)
            await self._answering.answer(conversation, prompt, samplings, part=part)
        await self._settings_file.save()

    async def regenerate(self) -> None:
        """Sample the last answer again until it differs from all that were given; keep them all."""
        conversation = await self._free_conversation()
        if conversation and conversation.transcript.exchanges:
            last = len(conversation.transcript.exchanges) - 1
            await self._answering.answer_again(conversation, last, self._settings.sampling)

    async def ask_again(self, index: int, prompt: str) -> None:
        """Ask `prompt` in place of question `index`; that one and what came after stay a branch."""
        prompt = prompt.strip()
        asked_in = self.conversation
        conversation = await self._free_conversation(prompt)
        if not prompt or not conversation:
            return
        if conversation is not asked_in:  # Another picture opened meanwhile.
            self.ask_refused.emit(prompt)
            self.noticed.emit(self.tr("Another image was opened. Ask again to ask about it."))
            return
        if prompt == conversation.transcript.exchanges[index].prompt:
            await self._answering.answer_again(conversation, index, self._settings.sampling)
            return
        self._settings.remember_prompt(prompt)
        await self._answering.answer(conversation, prompt, (self._settings.sampling,), index)

    def stop(self) -> None:
        """End the answer under way; its text so far is kept."""
        self._answering.stop()

    # Branches

    def step_answer(self, index: int, step: int) -> None:
        """Show the next answer to question `index`, `step` 1, or the one before, -1."""
        if conversation := self._resting_conversation():
            number = conversation.number_at(index)
            answers = conversation.transcript.tree.answers(number)
            at = answers.index(number) + step
            if 0 <= at < len(answers):
                self._choose(conversation, index, answers[at])

    def step_question(self, index: int, step: int) -> None:
        """Show the next question that was asked in place of `index`, `step` 1, or the one before.

        It comes with the answer that was shown last, and all that followed.
        """
        if conversation := self._resting_conversation():
            tree, number = conversation.transcript.tree, conversation.number_at(index)
            questions = tree.questions(number)
            at = questions.index(tree.nodes[number].exchange.prompt) + step
            if 0 <= at < len(questions):
                answers = tree.answers(number, questions[at])
                self._choose(conversation, index, tree.chosen_last(answers))

    # Undo

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo, and no answer under way."""
        return bool(self.undo_text)

    @property
    def undo_text(self) -> str:
        """What `undo` would do now, as a menu entry; "" for nothing."""
        conversation = self._resting_conversation()
        return conversation.history.undo_text if conversation else ""

    @property
    def undo_at(self) -> float:
        """When what `undo` would take back was done, by the monotonic clock; 0 for nothing."""
        conversation = self._resting_conversation()
        return conversation.history.undo_at if conversation else 0.0

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo, and no answer under way."""
        return bool(self.redo_text)

    @property
    def redo_text(self) -> str:
        """What `redo` would do now, as a menu entry; "" for nothing."""
        conversation = self._resting_conversation()
        return conversation.history.redo_text if conversation else ""

    @property
    def redo_at(self) -> float:
        """When what `redo` would do again was taken back, by the monotonic clock; 0 for nothing."""
        conversation = self._resting_conversation()
        return conversation.history.redo_at if conversation else 0.0

    def undo(self) -> None:
        """Take back the last strike-out, edited question, new answer or choice of a version."""
        if self.can_undo and self.conversation:
            self._take(self.conversation, self.conversation.history.undo())

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self.can_redo and self.conversation:
            self._take(self.conversation, self.conversation.history.redo())

    # The conversation as a whole

    def new_conversation(self) -> None:
        """Begin another conversation about the same picture; the one before stays kept."""
        if self.conversation:
            if self.is_answering:
                self.stop()
            self._answering.shown = Conversation(Transcript(self.conversation.transcript.picture))
            self.conversation_cleared.emit()
            self.history_changed.emit()

    async def opened_notes(self) -> tuple[str, ...]:
        """Wait until the file of conversations is open, and return what became of it."""
        notes = await self.kept.opened_notes()
        await self.return_to_earlier()
        return notes

    async def return_to_earlier(self, taken: Sequence[int] = ()) -> None:
        """Show what was asked about the picture before, once the file of conversations is open; or
        what is `taken` from an image that is gone, as a person says."""
        self._put_away.forget_empty()
        if picture := self.picture:
            await self._follow(picture, taken)
        conversation = self._resting_conversation()
        if conversation is None or conversation.so_far.exchanges or self._is_closed:
            return
        if kept := self.kept.latest(conversation.transcript.picture):
            transcript = kept.transcript(conversation.transcript.picture)
            self._answering.shown = Conversation(transcript, kept_as=kept.id)
            self.conversation_returned.emit(transcript)
            self.history_changed.emit()

    def recent_conversations(self) -> list[Summary]:
        """Return the kept conversations, newest first; [] with a notice if they cannot be read."""
        return self.kept.recent()

    async def reopen(self, id: int) -> None:
        """Go on with an earlier conversation, its picture opened again."""
        with self._pictures.opening("") as opening:
            kept = await self.kept.open(id)
            if picture := await self._pictures.open_kept(opening, kept):
                self._answering.shown = Conversation(kept.transcript(picture), kept_as=id)
                self.conversation_reopened.emit(self._answering.shown.transcript)
                self.history_changed.emit()

    async def write_transcript(self, path: Path) -> None:
        """Write the conversation as text. A failure is a notice."""
        if not self.conversation:
            return
        text = as_text(self.conversation.so_far)
        try:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or translated(error)
            text = self.tr("“{name}” cannot be written ({reason}). Choose another folder.")
            self.noticed.emit(text.format(name=path.name, reason=reason))

    def strike(self, index: int, span: Span, *, is_struck: bool) -> None:
        """Strike a part of answer `index` out, or restore it; the answer itself stays kept."""
        conversation = self.conversation
        if conversation and index < len(conversation.transcript.exchanges):
            conversation.strike(index, span, is_struck=is_struck)
            self._report_struck(conversation, index)

    async def close(self) -> None:
        """Stop, keep the text so far of answers under way, and close the store."""
        self._is_closed = True
        self._pictures.close()
        await self._answering.close()
        await self.kept.close()

    # Inside

    @Slot(object)
    def _find_conversation(self, picture: Picture) -> None:
        """Go on with the conversation about a picture that was opened, or begin one."""
        self._leave_conversation()
        conversation = self._answering.shown = self._put_away.take(picture)
        if conversation.so_far.exchanges or self.is_answering:
            self.conversation_returned.emit(conversation.so_far)
            self._answering.report_under_way()
        else:
            self.conversation_cleared.emit()
        self.history_changed.emit()

    async def _follow(self, picture: Picture, taken: Sequence[int] = ()) -> None:
        """Have what was asked about a picture that was moved follow it, before it is shown."""
        away = self._put_away
        ids = away.take_over(taken, picture) if taken else await away.follow(picture)
        if self.conversation and self.conversation.kept_as in ids:
            self.conversation.follow(picture)

    def _leave_conversation(self) -> None:
        if self.is_answering:
            self.stop()
        if self.conversation:
            self._put_away.put(self.conversation)

    @Slot()
    def _end_conversation(self) -> None:
        """The last picture was closed; what was asked about it stays kept."""
        self._leave_conversation()
        self._answering.shown = None
        self.conversation_cleared.emit()
        self.history_changed.emit()

    def _relay(self, answering: Answering) -> None:
        """What is reported about answers is reported here."""
        answering.conversation_cut.connect(self.conversation_cut)
        answering.branch_shown.connect(self.branch_shown)
        answering.answer_begun.connect(self.answer_begun)
        answering.piece_received.connect(self.piece_received)
        answering.answer_finished.connect(self.answer_finished)
        answering.answer_failed.connect(self.answer_failed)
        answering.answer_retried.connect(self.answer_retried)
        answering.answer_repeated.connect(self.answer_repeated)
        answering.variants_changed.connect(self.variants_changed)
        answering.prompt_misread.connect(self.prompt_misread)
        answering.history_changed.connect(self.history_changed)
        answering.noticed.connect(self.noticed)

    def _resting_conversation(self) -> Conversation | None:
        """Return the conversation unless an answer is under way in it."""
        return None if self.is_answering else self.conversation

    def _choose(self, conversation: Conversation, index: int, number: int) -> None:
        conversation.choose(index, number)
        self._show_branch(conversation, index)

    def _take(self, conversation: Conversation, step: Step) -> None:
        index = conversation.take(step)
        match step:
            case Struck():
                self._report_struck(conversation, index)
            case Chosen():
                self._show_branch(conversation, index)

    def _show_branch(self, conversation: Conversation, index: int) -> None:
        self.kept.keep(conversation)
        if conversation is self.conversation:
            self.branch_shown.emit(index, conversation.transcript)
            self.history_changed.emit()

    def _report_struck(self, conversation: Conversation, index: int) -> None:
        self.kept.keep(conversation)
        struck = conversation.transcript.exchanges[index].struck
        self.answer_struck.emit(index, struck, self.can_undo)
        self.history_changed.emit()

    async def _free_conversation(self, prompt: str = "") -> Conversation | None:
        """Return the conversation if something can be asked in it now; else say why not."""
        # A question asked while a picture opens is about that picture.
        await self._pictures.wait_until_opened()
        if self._is_closed:
            return None
        if not self.conversation:
            reason = self.tr("Open an image first. Drop it on the window, or paste it.")
        elif self._model.is_used_exclusively:
            reason = self.tr("A folder run is using the model. Pause it, then ask again.")
        elif self.is_answering:
            reason = self.tr("An answer is being generated. Stop it, then ask again.")
        else:
            return self.conversation
        self.ask_refused.emit(prompt)
        self.noticed.emit(reason)
        return None
