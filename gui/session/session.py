"""What a person can do: open pictures, ask, stop, ask again, choose a model. Knows no widgets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from core.engine import Capability, Loading, ModelState, Ready, inspectable
from core.errors import AppError, Cancelled, EngineError, PictureError, StoreError
from core.picture import Picture, find_pictures, open_picture
from core.settings import Settings
from core.settings import save as save_settings
from core.store import KeptConversation, Store, Summary
from core.transcript import (
    BUILT_IN,
    Answer,
    Ending,
    Exchange,
    ModelChoice,
    Request,
    Sampling,
    Span,
    Transcript,
)
from gui.session.model_thread import ModelThread

if TYPE_CHECKING:
    from core.llava.trace import Trace
    from core.words import Evidence, Word, WordMap

ANOTHER_TEMPERATURE = 0.7
LAST_WORDS_SECONDS = 1.0
RECENT = 20

log = logging.getLogger(__name__)


class Session(QObject):
    """One window's work: the picture, the conversation about it, and what is kept of both.

    `picture_opened(Picture)`, `picture_failed(AppError, str name)`.
    `pictures_at_hand(list[Path], int current)`: [] and -1 for a picture without a file.
    `conversation_cleared()`, `conversation_cut(int)`: how many exchanges are left.
    `conversation_reopened(Transcript)`: an earlier one, to go on with.
    `answer_begun(str prompt)`, `piece_received(str)`, `answer_finished(Answer)`,
    `answer_failed(AppError)`. `answer_struck(int, tuple, bool)`: what is now struck out of the
    answer at an index, as spans, and whether that can be undone. `ask_refused(str prompt)`: not
    asked, a notice says why.
    `model_changed(ModelState)`. `noticed(str)`: a sentence to show.

    An expected failure is a signal with a sentence to show. What nobody foresaw is raised by the
    coroutine, after the signal that puts the window right.
    """

    picture_opened = Signal(object)
    picture_failed = Signal(object, str)
    # A list would be converted, one path after another.
    pictures_at_hand = Signal(object, int)
    conversation_cleared = Signal()
    conversation_cut = Signal(int)
    conversation_reopened = Signal(object)
    answer_begun = Signal(str)
    piece_received = Signal(str)
    answer_finished = Signal(object)
    answer_failed = Signal(object)
    answer_struck = Signal(int, object, bool)
    ask_refused = Signal(str)
    model_changed = Signal(object)
    noticed = Signal(str)

    def __init__(
        self,
        model: ModelThread,
        store: Store,
        settings: Settings,
        settings_folder: Path,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._model = model
        self._store = store
        self._settings = settings
        self._settings_folder = settings_folder
        self._settings_lock = asyncio.Lock()
        self.asks_about_all = False
        self._at_hand: list[Path] = []
        self._current = -1
        self._newest_opening: _Opening | None = None
        self._conversation: _Conversation | None = None
        self._under_way: set[_Conversation] = set()
        self._is_closed = False
        self._ready_model = model.state.facts.model if isinstance(model.state, Ready) else ""
        model.state_changed.connect(self._on_state_changed)

    @property
    def picture(self) -> Picture | None:
        return self._conversation.transcript.picture if self._conversation else None

    @property
    def transcript(self) -> Transcript | None:
        """The conversation so far, without the answer under way."""
        return self._conversation.transcript if self._conversation else None

    @property
    def is_answering(self) -> bool:
        return self._conversation in self._under_way

    @property
    def model_state(self) -> ModelState:
        return self._model.state

    # Pictures: a newer call supersedes one that is still opening.

    async def open_paths(self, paths: Iterable[Path]) -> None:
        """Open a picture, or take several files and folders at hand and open the first."""
        paths = list(paths)
        with self._opening(paths[0].name if paths else "") as opening:
            at_hand = await asyncio.to_thread(_pictures_among, paths)
            if opening is self._newest_opening:
                self._at_hand = at_hand
                await self._open_at_hand(opening, 0)

    async def open_image_data(self, data: bytes, name: str) -> None:
        """Open an encoded image that came without a file, as from the clipboard."""
        with self._opening(name) as opening:
            if await self._open(opening, data, name):
                self._at_hand, self._current = [], -1
                self.pictures_at_hand.emit([], -1)

    async def open_at_hand(self, index: int) -> None:
        """Open another of the pictures at hand; there is none beyond the ends."""
        if 0 <= index < len(self._at_hand):
            with self._opening(self._at_hand[index].name) as opening:
                await self._open_at_hand(opening, index)

    async def next_picture(self) -> None:
        await self.open_at_hand(self._current + 1)

    async def previous_picture(self) -> None:
        await self.open_at_hand(self._current - 1)

    @contextmanager
    def _opening(self, name: str) -> Iterator[_Opening]:
        opening = _Opening(name)
        self._newest_opening = opening
        try:
            yield opening
        except AppError as error:
            self._on_opening_failed(opening, error)
        except Exception:
            text = f"“{opening.name}” cannot be shown. Try another picture."
            self._on_opening_failed(opening, PictureError(text))
            raise
        finally:
            if opening is self._newest_opening:
                self._newest_opening = None
            opening.done.set()

    def _on_opening_failed(self, opening: _Opening, error: AppError) -> None:
        if opening is self._newest_opening:
            self.picture_failed.emit(error, opening.name)

    async def _open_at_hand(self, opening: _Opening, index: int) -> None:
        self._current = index
        self.pictures_at_hand.emit(self._at_hand, index)
        path = self._at_hand[index]
        opening.name = path.name
        await self._open(opening, path)

    async def _open(self, opening: _Opening, source: Path | bytes, name: str | None = None) -> bool:
        picture = await asyncio.to_thread(open_picture, source, name)
        if opening is not self._newest_opening or self._is_closed:
            return False
        self._begin_conversation(picture)
        self.picture_opened.emit(picture)
        return True

    # The conversation.

    async def ask(self, prompt: str) -> None:
        """Ask about the picture, and wait for the answer."""
        prompt = prompt.strip()
        if not prompt:
            return
        self._settings.remember_prompt(prompt)
        if conversation := await self._free_conversation(prompt):
            await self._answer(conversation, prompt, self._settings.sampling)
        await self.keep_settings()

    async def regenerate(self) -> None:
        """Answer the last question again, in other words; the replaced answer stays kept."""
        conversation = await self._free_conversation()
        if not conversation or not conversation.transcript.exchanges:
            return
        sampling = self._settings.sampling
        if sampling.temperature == 0:
            # Greedy would say the same again.
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

    def new_conversation(self) -> None:
        """Forget what was said about the picture; it stays kept."""
        if self._conversation:
            self._begin_conversation(self._conversation.transcript.picture)

    def recent_conversations(self) -> list[Summary]:
        """The newest first; none where they cannot be read, with a notice."""
        try:
            return self._store.recent(RECENT)
        except StoreError as error:
            self.noticed.emit(str(error))
            return []

    async def reopen(self, id: int) -> None:
        """Go on with an earlier conversation, its picture opened again."""
        with self._opening("") as opening:
            kept = self._store.open(id)
            opening.name = kept.picture_name
            picture = await asyncio.to_thread(_picture_of, kept)
            if opening is not self._newest_opening or self._is_closed:
                return
            self._at_hand = [picture.path] if picture.path else []
            self._current = len(self._at_hand) - 1
            self.pictures_at_hand.emit(self._at_hand, self._current)
            self._begin_conversation(picture)
            self._conversation = _Conversation(kept.transcript(picture), kept_as=id)
            self.picture_opened.emit(picture)
            self.conversation_reopened.emit(self._conversation.transcript)

    async def write_transcript(self, path: Path) -> None:
        """Write the conversation as text."""
        if not self._conversation:
            return
        text = _as_text(self._conversation.transcript)
        try:
            await asyncio.to_thread(path.write_text, text, encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            self.noticed.emit(f"“{path.name}” cannot be written ({reason}). Choose another folder.")

    async def evidence(self, index: int) -> Evidence:
        """What each word of answer `index` rests on. Raises AppError when it cannot be had, and
        Cancelled when something else is asked meanwhile."""
        conversation, answer = self._said(index)
        if index not in conversation.evidence:
            request = conversation.request(index, self._settings.sampling)
            self._refuse_unless_free(
                conversation.transcript.exchanges[index].model, Capability.EVIDENCE
            )
            conversation.evidence[index] = await self._model.inquire(
                lambda engine, stop: inspectable(engine, Capability.EVIDENCE).evidence(
                    request, answer, stop
                )
            )
            self._refuse_if_left(conversation)
        return conversation.evidence[index]

    async def word_map(self, index: int, word: Word) -> WordMap:
        """Where on the picture a word of answer `index` rests. Raises as `evidence`."""
        conversation, answer = self._said(index)
        request = conversation.request(index, self._settings.sampling)
        self._refuse_unless_free(
            conversation.transcript.exchanges[index].model, Capability.EVIDENCE
        )
        word_map = await self._model.inquire(
            lambda engine, stop: inspectable(engine, Capability.EVIDENCE).word_map(
                request, answer, word
            )
        )
        self._refuse_if_left(conversation)
        return word_map

    async def look_again(self, index: int, word: Word) -> Evidence:
        """Ask the model whether the thing that the word names is there; the evidence of answer
        `index` with what it said. Raises as `evidence`."""
        conversation, answer = self._said(index)
        request = conversation.request(index, self._settings.sampling)
        self._refuse_unless_free(
            conversation.transcript.exchanges[index].model, Capability.EVIDENCE
        )
        presence = await self._model.inquire(
            lambda engine, stop: inspectable(engine, Capability.EVIDENCE).look_again(
                request, answer, word
            )
        )
        self._refuse_if_left(conversation)
        evidence = await self.evidence(index)
        words = [
            replace(one, presence=presence) if one.begin == word.begin else one
            for one in evidence.words
        ]
        conversation.evidence[index] = replace(evidence, words=tuple(words))
        return conversation.evidence[index]

    def strike(self, index: int, span: Span, *, is_struck: bool) -> None:
        """Strike a part of answer `index` out, or put it back; kept beside what was said."""
        conversation = self._conversation
        if conversation is None or index >= len(conversation.transcript.exchanges):
            return
        before = conversation.transcript.exchanges[index].struck
        after = {*before, span} if is_struck else {one for one in before if one != span}
        conversation.strikes.append((index, before))
        self._strike(conversation, index, tuple(sorted(after)))

    def undo_strike(self) -> None:
        """Take back the last striking out, or putting back, in this conversation."""
        if self._conversation and self._conversation.strikes:
            self._strike(self._conversation, *self._conversation.strikes.pop())

    def _strike(self, conversation: _Conversation, index: int, struck: tuple[Span, ...]) -> None:
        exchanges = list(conversation.transcript.exchanges)
        exchanges[index] = replace(exchanges[index], struck=struck)
        conversation.transcript = replace(conversation.transcript, exchanges=tuple(exchanges))
        self._keep(conversation)
        self.answer_struck.emit(index, struck, bool(conversation.strikes))

    def _refuse_if_left(self, conversation: _Conversation) -> None:
        if conversation is not self._conversation:
            raise Cancelled("The conversation was left.")

    async def trace(self, index: int) -> Trace:
        """What went through the model for answer `index`. Raises AppError when it cannot be had."""
        conversation, answer = self._said(index)
        request = conversation.request(index, self._settings.sampling)
        self._refuse_unless_free(conversation.transcript.exchanges[index].model, Capability.TRACE)
        return await self._model.inquire(
            lambda engine, stop: inspectable(engine, Capability.TRACE).trace(request, answer)
        )

    def _said(self, index: int) -> tuple[_Conversation, Answer]:
        conversation = self._conversation
        exchanges = conversation.transcript.exchanges if conversation else ()
        answer = exchanges[index].answer if 0 <= index < len(exchanges) else None
        if conversation is None or answer is None or not answer.text:
            raise EngineError("There is no answer to look into. Ask a question first.")
        return conversation, answer

    def _refuse_unless_free(self, said_by: str, capability: Capability) -> None:
        state = self._model.state
        if isinstance(state, Loading):
            raise EngineError("The model is still loading. Look again once it is there.")
        if not isinstance(state, Ready) and not self._model.is_resting:
            raise EngineError("No model is loaded. Load the one that said this, then look again.")
        if isinstance(state, Ready) and (reason := state.facts.why_not(capability)):
            raise EngineError(reason)
        if said_by and said_by != self._ready_model:
            name = "the built-in model" if said_by == BUILT_IN else f"“{said_by}”"
            raise EngineError(f"Another model said this. Load {name}, then look again.")
        if self._model.is_lent:
            raise EngineError("The folder run uses the model. Pause it, then look again.")

    def stop(self) -> None:
        """End the answer under way; what was said is kept."""
        self._model.stop()

    async def _free_conversation(self, prompt: str = "") -> _Conversation | None:
        """The conversation, if something can be asked in it now; else say why not."""
        while self._newest_opening:
            # A question asked while a picture opens is about that picture.
            await self._newest_opening.done.wait()
        if self._is_closed:
            return None
        if not self._conversation:
            reason = "Open a picture first: drop one on the window, or paste one."
        elif self._model.is_lent:
            reason = "The folder run uses the model. Pause it, then ask."
        elif self.is_answering:
            reason = "The answer is still being written. Stop it with Esc, then ask."
        else:
            return self._conversation
        self.ask_refused.emit(prompt)
        self.noticed.emit(reason)
        return None

    def _begin_conversation(self, picture: Picture) -> None:
        if self.is_answering:
            self._model.stop()
        self._conversation = _Conversation(Transcript(picture))
        self.conversation_cleared.emit()

    def _cut(self, conversation: _Conversation, index: int) -> _Conversation:
        """Go on from before question `index`, in a conversation that is kept by itself."""
        kept = {at: request for at, request in conversation.requests.items() if at < index}
        found = {at: evidence for at, evidence in conversation.evidence.items() if at < index}
        self._conversation = _Conversation(
            conversation.transcript.before(index), requests=kept, evidence=found
        )
        self.conversation_cut.emit(index)
        return self._conversation

    async def _others(self) -> tuple[Picture, ...]:
        """The other pictures at hand, as many as the model takes, when all are asked about."""
        state = self._model.state
        if not self.asks_about_all or not isinstance(state, Ready):
            return ()
        paths = [path for number, path in enumerate(self._at_hand) if number != self._current]
        most = state.facts.most_pictures
        if most > 1 and len(paths) >= most:
            self.noticed.emit(f"The model looks at {most} images at a time; the rest is left out.")
        return tuple([await asyncio.to_thread(open_picture, path) for path in paths[: most - 1]])

    async def _answer(self, conversation: _Conversation, prompt: str, sampling: Sampling) -> None:
        transcript = conversation.transcript
        request = Request(transcript.picture, transcript.asking(prompt), sampling)
        conversation.begin(prompt)
        conversation.requests[len(transcript.exchanges)] = request
        self._under_way.add(conversation)
        self.answer_begun.emit(prompt)
        try:
            request = replace(request, others=await self._others())
            answer = await self._model.answer(request, self._hear(conversation))
        except asyncio.CancelledError:
            self._end_answer(conversation, conversation.half_answer())
            raise
        except Exception as error:
            self._end_answer(conversation, conversation.half_answer())
            if conversation is self._conversation:
                self.answer_failed.emit(_for_reader(error))
            if not isinstance(error, AppError):
                raise
        else:
            self._end_answer(conversation, answer)
            if conversation is self._conversation:
                self.answer_finished.emit(answer)
                if answer.left_out:
                    self.noticed.emit(_left_out(answer.left_out))

    def _hear(self, conversation: _Conversation) -> Callable[[str], None]:
        def on_piece(piece: str) -> None:
            if not conversation.said:
                # By the end of the answer the next model may be there already.
                conversation.model = self._ready_model
            conversation.said.append(piece)
            if conversation is self._conversation:
                self.piece_received.emit(piece)

        return on_piece

    def _end_answer(self, conversation: _Conversation, answer: Answer | None) -> None:
        """Put the answer into the transcript and keep it, whatever became of it."""
        if conversation not in self._under_way:
            return  # Closing has done so already.
        self._under_way.remove(conversation)
        conversation.is_answered.set()
        exchange = Exchange(conversation.prompt, answer, conversation.model)
        conversation.transcript = conversation.transcript.with_exchange(exchange)
        self._keep(conversation)

    def _keep(self, conversation: _Conversation) -> None:
        try:
            conversation.kept_as = self._store.save(conversation.transcript, conversation.kept_as)
        except StoreError as error:
            log.warning("The conversation is not kept", exc_info=error)
            self.noticed.emit(str(error))

    # The model, and the end.

    async def load_model(self, choice: ModelChoice) -> None:
        """Load a model in place of the present one, and start with it the next time."""
        try:
            await self._model.load(choice)
        except Cancelled:
            pass
        except AppError as error:
            # The model's state carries the sentence to the window.
            log.warning("The model is not loaded", exc_info=error)
        else:
            self._settings.model_choice = choice
            await self.keep_settings()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if isinstance(state, Ready):
            self._ready_model = state.facts.model
        self.model_changed.emit(state)

    async def keep_settings(self) -> None:
        """Write the settings. Not in the window's thread: the disk may take its time."""
        async with self._settings_lock:
            if self._is_closed:
                return
            settings = self._settings.model_copy(deep=True)
            try:
                await asyncio.to_thread(save_settings, settings, self._settings_folder)
            except StoreError as error:
                self.noticed.emit(str(error))

    def unload_model(self) -> None:
        self._model.unload()

    def cancel_loading(self) -> None:
        self._model.cancel_load()

    async def close(self) -> None:
        """Stop, keep the half answer and the settings, close the store."""
        self._is_closed = True
        self._model.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                for conversation in list(self._under_way):
                    await conversation.is_answered.wait()
        for conversation in list(self._under_way):
            self._end_answer(conversation, conversation.half_answer())
        self._store.close()
        async with self._settings_lock:
            try:
                save_settings(self._settings, self._settings_folder)
            except StoreError as error:
                log.warning("The settings are not kept", exc_info=error)


@dataclass(eq=False)
class _Opening:
    """One attempt to open a picture. Only the newest may show what came of it."""

    name: str
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class _Conversation:
    """A transcript that grows, and the answer on its way into it.

    `requests` are what the exchanges of this day were asked with, by their index, `evidence` what
    has been found of their words, and `strikes` what was struck out before each change of it.
    """

    transcript: Transcript
    kept_as: int | None = None
    requests: dict[int, Request] = field(default_factory=dict)
    evidence: dict[int, Evidence] = field(default_factory=dict)
    strikes: list[tuple[int, tuple[Span, ...]]] = field(default_factory=list)
    prompt: str = ""
    model: str = ""
    said: list[str] = field(default_factory=list)
    began: float = 0.0
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, prompt: str) -> None:
        self.prompt, self.model, self.said = prompt, "", []
        self.began = time.perf_counter()
        self.is_answered.clear()

    def request(self, index: int, sampling: Sampling) -> Request:
        """What exchange `index` was asked with; of an earlier day, as far as it can be told."""
        if index in self.requests:
            return self.requests[index]
        before = self.transcript.before(index)
        turns = before.asking(self.transcript.exchanges[index].prompt)
        return Request(self.transcript.picture, turns, sampling)

    def half_answer(self) -> Answer | None:
        """What was said of an answer that did not end by itself; None if nothing was."""
        text = "".join(self.said).strip()
        seconds = time.perf_counter() - self.began
        return Answer(text, Ending.STOPPED, tokens=0, seconds=seconds) if text else None


def _pictures_among(paths: list[Path]) -> list[Path]:
    """A single file is opened whatever its name; of several, those that are pictures."""
    if len(paths) == 1 and not paths[0].is_dir():
        return paths
    if at_hand := find_pictures(paths):
        return at_hand
    where = f"“{paths[0].name}”" if len(paths) == 1 else "what was dropped"
    raise PictureError(f"There are no pictures in {where}. Choose picture files or another folder.")


def _picture_of(kept: KeptConversation) -> Picture:
    """The picture again; its thumbnail where the file is gone or never was one."""
    if kept.picture_path:
        with suppress(PictureError):
            return open_picture(kept.picture_path)
    picture = open_picture(kept.thumbnail, kept.picture_name)
    note = "a small copy; the picture itself is no longer there"
    return replace(picture, notes=(*picture.notes, note), original_size=kept.original_size)


def _as_text(transcript: Transcript) -> str:
    said = [
        f"{exchange.prompt}\n\n{exchange.text if exchange.answer else '(no answer)'}\n"
        for exchange in transcript.exchanges
    ]
    return "\n".join([f"{transcript.picture.name}\n", *said])


def _for_reader(error: Exception) -> AppError:
    if isinstance(error, AppError):
        return error
    return EngineError("The model failed in a way that nobody foresaw. Ask again, or load it anew.")


def _left_out(pairs: int) -> str:
    what = "question and its answer" if pairs == 1 else f"{pairs} questions and their answers"
    return f"The oldest {what} after the first no longer fit, and the model did not see them."
