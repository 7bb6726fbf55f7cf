"""Answers questions in conversations: tries until an answer is a new one, and keeps what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from PySide6.QtCore import QCoreApplication, QObject, Signal, SignalInstance

from core.engine import Ready
from core.errors import AppError, EngineError
from core.picture import Picture, PicturePart, open_picture
from core.transcript import Answer, Ending, Sampling
from gui.session.conversation import Conversation
from gui.session.engine_jobs import OnPiece
from gui.session.kept_conversations import KeptConversations
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.widgets.translated import translated

ANOTHER_TEMPERATURE = 0.7
TRIES = 4
WARMER = 0.15
HIGHEST_TEMPERATURE = 2.0
LAST_WORDS_SECONDS = 1.0

translate = QCoreApplication.translate


class Answering(QObject):
    """The answers under way, one in each conversation. It reports on the one that is `shown`.

    The signals are those of `Session`.
    """

    conversation_cut = Signal(int)
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
    noticed = Signal(str)

    def __init__(
        self,
        model: ModelThread,
        loaded: LoadedModel,
        pictures: PictureList,
        kept: KeptConversations,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._model = model
        self._loaded = loaded
        self._pictures = pictures
        self._kept = kept
        self.asks_about_all = False
        self.shown: Conversation | None = None
        self._under_way: set[Conversation] = set()

    @property
    def is_under_way(self) -> bool:
        """Whether an answer in the conversation shown is under way, or waits for the model."""
        return self.shown in self._under_way

    def is_answering_in(self, conversation: Conversation) -> bool:
        """Return whether an answer in this conversation is under way."""
        return conversation in self._under_way

    def report_under_way(self) -> None:
        """Say anew what is under way in the conversation shown, which was put away meanwhile."""
        if self.shown and self.is_under_way:
            self.answer_begun.emit(self.shown.prompt)
            self.piece_received.emit("".join(self.shown.pieces))

    def stop(self) -> None:
        """End the answers under way; their text so far is kept."""
        for conversation in self._under_way:
            conversation.must_stop = True
        self._model.stop()

    async def close(self) -> None:
        """Stop, and keep the text so far."""
        self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                for conversation in list(self._under_way):
                    await conversation.is_answered.wait()
        for conversation in list(self._under_way):
            self._end(conversation, conversation.partial_answer())

    async def answer_again(
        self, conversation: Conversation, index: int, sampling: Sampling
    ) -> None:
        """Answer question `index` again, in other words than before."""
        exchange = conversation.transcript.exchanges[index]
        if not exchange.answer or not exchange.answer.text.strip():
            await self.answer(conversation, exchange.prompt, (sampling,), index)
            return
        await self.answer(conversation, exchange.prompt, samplings_for_another(sampling), index)

    async def answer(
        self,
        conversation: Conversation,
        prompt: str,
        samplings: Sequence[Sampling],
        at: int | None = None,
        part: PicturePart | None = None,
    ) -> None:
        """Ask, at the end about `part` or in place of index `at`; try one sampling after the other
        until the answer is a new one.
        """
        conversation.begin_answer(prompt, at, part)
        self._under_way.add(conversation)
        if at is not None:
            self.conversation_cut.emit(at)
        self.answer_begun.emit(prompt)
        self.history_changed.emit()
        try:
            answer = await self._first_new_answer(conversation, samplings)
        except asyncio.CancelledError:
            self._end(conversation, conversation.partial_answer())
            raise
        except Exception as error:
            failure = _for_reader(error)
            is_new = self._end(conversation, conversation.partial_answer())
            self._report_end(conversation, at, is_new, self.answer_failed, failure)
            if not is_new and conversation is self.shown:
                self.noticed.emit(translated(failure))
            if not isinstance(error, AppError):
                raise
        else:
            tries_all = len(samplings) > 1 and not conversation.must_stop
            is_new = self._end(conversation, answer)
            self._report_end(conversation, at, is_new, self.answer_finished, answer)
            if conversation is not self.shown:
                return
            if at is not None and not is_new and tries_all:
                self.answer_repeated.emit(at)
            if answer.left_out:
                self.noticed.emit(
                    self.tr(
                        "The conversation is too long for the model. Older questions were left out."
                    )
                )

    # Inside

    async def _other_pictures(self) -> tuple[Picture, ...]:
        """If all are asked about, open the other pictures of the list, up to the model's limit."""
        state = self._model.state
        if not self.asks_about_all or not isinstance(state, Ready):
            return ()
        most = state.facts.most_pictures
        paths = self._pictures.others(max(0, most))
        if most > 1 and len(paths) >= most:
            text = self.tr("The model takes {count} images at a time. The others are left out.")
            self.noticed.emit(text.format(count=most))
        return tuple([await asyncio.to_thread(open_picture, path) for path in paths[: most - 1]])

    async def _first_new_answer(
        self, conversation: Conversation, samplings: Sequence[Sampling]
    ) -> Answer:
        """Return the first answer that was not given before, or the last one."""
        answer = Answer("", Ending.STOPPED, tokens=0, seconds=0.0)
        others = await self._other_pictures()
        for sampling in samplings:
            if conversation.must_stop:
                break
            if sampling is not samplings[0] and conversation is self.shown:
                self.answer_retried.emit()
            request = conversation.begin_try(sampling, others)
            answer = await self._model.answer(request, self._piece_listener(conversation))
            if conversation.is_new(answer):
                break
        return answer

    def _report_end(
        self,
        conversation: Conversation,
        at: int | None,
        is_new: bool,
        signal: SignalInstance,
        outcome: Answer | AppError,
    ) -> None:
        """Say how an answer ended; one that says nothing new leaves what was there before."""
        if conversation is not self.shown:
            return
        if is_new:
            signal.emit(outcome)
            if at is not None:
                self.variants_changed.emit(at, conversation.transcript.variants(at))
            if conversation.unknown:
                index = len(conversation.transcript.exchanges) - 1
                self.prompt_misread.emit(index, conversation.unknown)
        elif at is not None:
            self.branch_shown.emit(at, conversation.transcript)
        self.history_changed.emit()

    def _piece_listener(self, conversation: Conversation) -> OnPiece:
        def on_piece(piece: str) -> None:
            if not conversation.pieces:
                # By the end of the answer the next model may already be loaded.
                conversation.model = self._loaded.name
                if isinstance(state := self._model.state, Ready):
                    conversation.unknown = state.facts.unknown_words(conversation.prompt)
            conversation.pieces.append(piece)
            if conversation is self.shown:
                self.piece_received.emit(piece)

        return on_piece

    def _end(self, conversation: Conversation, answer: Answer | None) -> bool:
        """Put the answer into the transcript, unless it is there already, and keep it.

        Returns whether it was put in.
        """
        if conversation not in self._under_way:  # `close` has done so already.
            return True
        self._under_way.remove(conversation)
        is_new = conversation.end_answer(answer)
        self._kept.keep(conversation)
        return is_new


def samplings_for_another(sampling: Sampling) -> tuple[Sampling, ...]:
    """Returns how to try for another answer: with other seeds, and warmer each time.

    Greedy decoding would generate the same answer again.
    """
    first = sampling.temperature or ANOTHER_TEMPERATURE
    temperatures = (min(first + WARMER * number, HIGHEST_TEMPERATURE) for number in range(TRIES))
    return tuple(replace(sampling, temperature=one, seed=None) for one in temperatures)


def _for_reader(error: Exception) -> AppError:
    if isinstance(error, AppError):
        return error
    return EngineError(
        translate("Session", "The model failed unexpectedly. Ask again, or reload the model.")
    )
