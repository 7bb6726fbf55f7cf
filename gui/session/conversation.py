"""One conversation: its transcript, the answer under way, and what was found out about answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from core.transcript import Answer, Ending, Exchange, Request, Sampling, Span, Transcript

if TYPE_CHECKING:
    from core.words import Evidence


@dataclass(eq=False)
class Conversation:
    """A transcript that grows by `begin_answer` and `end_answer`. Belongs to the GUI thread.

    `kept_as` is its id in the store, None before it is saved. By index of the exchange,
    `requests` holds what was asked in this run of the program and `evidence` what was found out
    about the words. `strike_history` holds the index and the former strikes of each change of
    them, oldest first. `prompt`, `model`, `pieces`, `began` and `is_answered` belong to the answer
    under way.
    """

    transcript: Transcript
    kept_as: int | None = None
    requests: dict[int, Request] = field(default_factory=dict)
    evidence: dict[int, Evidence] = field(default_factory=dict)
    strike_history: list[tuple[int, tuple[Span, ...]]] = field(default_factory=list)
    prompt: str = ""
    model: str = ""
    pieces: list[str] = field(default_factory=list)
    began: float = 0.0
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)

    def begin_answer(self, prompt: str, sampling: Sampling) -> Request:
        """Return the request that asks `prompt` as the next question."""
        request = Request(self.transcript.picture, self.transcript.asking(prompt), sampling)
        self.requests[len(self.transcript.exchanges)] = request
        self.prompt, self.model, self.pieces = prompt, "", []
        self.began = time.perf_counter()
        self.is_answered.clear()
        return request

    def end_answer(self, answer: Answer | None) -> None:
        """Append the exchange under way; None if the model generated nothing."""
        self.is_answered.set()
        exchange = Exchange(self.prompt, answer, self.model)
        self.transcript = self.transcript.with_exchange(exchange)

    def partial_answer(self) -> Answer | None:
        """Return the text so far of an answer that did not end by itself; None if there is none."""
        text = "".join(self.pieces).strip()
        seconds = time.perf_counter() - self.began
        return Answer(text, Ending.STOPPED, tokens=0, seconds=seconds) if text else None

    def request(self, index: int, sampling: Sampling) -> Request:
        """Return what exchange `index` was asked with.

        For one of an earlier run of the program it is rebuilt, with the `sampling` given.
        """
        if index in self.requests:
            return self.requests[index]
        before = self.transcript.before(index)
        turns = before.asking(self.transcript.exchanges[index].prompt)
        return Request(self.transcript.picture, turns, sampling)

    def cut(self, index: int) -> Conversation:
        """Return a new conversation, not yet kept, of the exchanges before `index`."""
        return Conversation(
            self.transcript.before(index),
            requests={at: request for at, request in self.requests.items() if at < index},
            evidence={at: found for at, found in self.evidence.items() if at < index},
        )

    def strike(self, index: int, span: Span, *, is_struck: bool) -> None:
        """Strike a span of answer `index` out, or restore it."""
        before = self.transcript.exchanges[index].struck
        after = {*before, span} if is_struck else {one for one in before if one != span}
        self.strike_history.append((index, before))
        self._set_struck(index, tuple(sorted(after)))

    def undo_strike(self) -> int:
        """Take the last `strike` back, and return the index of its answer."""
        index, before = self.strike_history.pop()
        self._set_struck(index, before)
        return index

    def _set_struck(self, index: int, struck: tuple[Span, ...]) -> None:
        exchanges = list(self.transcript.exchanges)
        exchanges[index] = replace(exchanges[index], struck=struck)
        self.transcript = replace(self.transcript, exchanges=tuple(exchanges))


def as_text(transcript: Transcript) -> str:
    """Return the whole conversation as plain text, for a file."""
    no_answer = QCoreApplication.translate("Conversation", "(no answer)")
    exchanges = [
        f"{exchange.prompt}\n\n{exchange.text if exchange.answer else no_answer}\n"
        for exchange in transcript.exchanges
    ]
    return "\n".join([f"{transcript.picture.name}\n", *exchanges])
