"""What an answer rests on: the evidence for its words, maps on the picture, and the trace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from core.engine import Capability, Loading, Ready, inspectable
from core.errors import Cancelled, EngineError
from core.model_reference import short_name
from core.picture import PicturePart
from core.settings import Settings
from core.transcript import Answer, Request
from gui.session.conversation import Conversation
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.session.session import Session
from gui.widgets.translated import translated

if TYPE_CHECKING:
    from core.trace import Trace
    from core.words import Evidence, Word, WordMap

translate = QCoreApplication.translate


class AnswerInspection:
    """Asks the model about answers of the session's conversation, by their index.

    Every coroutine raises AppError if the answer cannot be examined now, and Cancelled if
    something else is asked meanwhile or, but for `trace`, the conversation was left.
    """

    def __init__(
        self, model: ModelThread, loaded: LoadedModel, session: Session, settings: Settings
    ):
        self._model = model
        self._loaded = loaded
        self._session = session
        self._settings = settings

    async def evidence(self, index: int) -> Evidence:
        """Return what each word of an answer rests on. It is found once for each answer."""
        conversation, request, answer = self._asked(index)
        number = conversation.number_at(index)
        if number not in conversation.evidence:
            self._refuse_unless_free(conversation, index, Capability.EVIDENCE)
            conversation.evidence[number] = await self._model.run_read_only(
                lambda engine, stop: inspectable(engine, Capability.EVIDENCE).evidence(
                    request, answer, stop
                )
            )
            self._refuse_if_left(conversation, index, number)
        return conversation.evidence[number]

    def known_evidence(self, index: int) -> Evidence | None:
        """Return what was found out about the answer at an index; None if nothing was."""
        conversation = self._session.conversation
        return conversation.evidence.get(conversation.number_at(index)) if conversation else None

    async def word_map(self, index: int, word: Word) -> WordMap:
        """Return where on the picture a word of an answer rests."""
        conversation, request, answer = self._asked(index)
        number = conversation.number_at(index)
        self._refuse_unless_free(conversation, index, Capability.MAPS)
        word_map = await self._model.run_read_only(
            lambda engine, stop: inspectable(engine, Capability.MAPS).word_map(
                request, answer, word
            )
        )
        self._refuse_if_left(conversation, index, number)
        return word_map

    async def look_again(self, index: int, word: Word) -> Evidence:
        """Ask the model whether the thing that the word names is there.

        Returns the evidence of the answer with the model's reply at that word.
        """
        conversation, request, answer = self._asked(index)
        number = conversation.number_at(index)
        self._refuse_unless_free(conversation, index, Capability.EVIDENCE)
        presence = await self._model.run_read_only(
            lambda engine, stop: inspectable(engine, Capability.EVIDENCE).look_again(
                request, answer, word
            )
        )
        self._refuse_if_left(conversation, index, number)
        evidence = await self.evidence(index)
        words = [
            replace(one, presence=presence) if one.begin == word.begin else one
            for one in evidence.words
        ]
        conversation.evidence[number] = replace(evidence, words=tuple(words))
        return conversation.evidence[number]

    async def trace(self, index: int) -> Trace:
        """Return what went through the model for an answer."""
        conversation, request, answer = self._asked(index)
        self._refuse_unless_free(conversation, index, Capability.TRACE)
        return await self._model.run_read_only(
            lambda engine, stop: inspectable(engine, Capability.TRACE).trace(request, answer)
        )

    def part(self, index: int) -> PicturePart | None:
        """Return the part of the picture that an answer is about; None for all of it."""
        conversation = self._session.conversation
        exchanges = conversation.so_far.exchanges if conversation else ()
        return exchanges[index].part if index < len(exchanges) else None

    def _asked(self, index: int) -> tuple[Conversation, Request, Answer]:
        conversation = self._session.conversation
        exchanges = conversation.so_far.exchanges if conversation else ()
        answer = exchanges[index].answer if 0 <= index < len(exchanges) else None
        if conversation is None or answer is None or not answer.text:
            raise EngineError(
                translate("Inspection", "There is no answer to inspect. Ask a question first.")
            )
        return conversation, conversation.request(index, self._settings.sampling), answer

    def _refuse_unless_free(
        self, conversation: Conversation, index: int, capability: Capability
    ) -> None:
        state = self._model.state
        if isinstance(state, Loading):
            raise EngineError(
                translate("Inspection", "The model is still loading. Try again when it is ready.")
            )
        if not isinstance(state, Ready) and not self._model.is_idle_unloaded:
            raise EngineError(
                translate(
                    "Inspection",
                    "No model is loaded. Load the one that gave this answer, then try again.",
                )
            )
        if isinstance(state, Ready) and (reason := state.facts.why_not(capability)):
            raise EngineError(reason)
        answered_by = conversation.transcript.exchanges[index].model
        if answered_by and answered_by != self._loaded.name:
            text = translate(
                "Inspection", "Another model gave this answer. Load “{model}”, then try again."
            )
            raise EngineError(text.format(model=translated(short_name(answered_by))))
        if self._model.is_used_exclusively:
            raise EngineError(
                translate(
                    "Inspection", "A folder run is using the model. Pause it, then try again."
                )
            )

    def _refuse_if_left(self, conversation: Conversation, index: int, number: int) -> None:
        """Refuse if another conversation, or another answer at the index, is shown now."""
        shown = conversation.transcript.tree.path[index : index + 1]
        if conversation is not self._session.conversation or shown != (number,):
            raise Cancelled("The conversation was left.")
