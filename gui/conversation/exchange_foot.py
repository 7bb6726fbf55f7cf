"""What stands below an answer, as text: what it took, and what to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from core.transcript import Answer, Ending, Exchange
from core.vocabulary import unknown_note
from gui.inspector.wording import ending_text
from gui.widgets.counted import counted
from gui.widgets.text_direction import in_own_order
from gui.widgets.translated import translated

translate = QCoreApplication.translate


@dataclass
class Foot:
    """What is said below an answer: what it took, why there is none, and what to know of it."""

    line: str = ""
    error: str = ""
    note: str = ""
    warns: bool = False
    """Whether the note is about the question, whose answer may not be to the point."""

    @classmethod
    def of(cls, exchange: Exchange) -> Foot:
        """Returns what is said of a complete exchange."""
        if exchange.answer is None:
            return cls(error=translate("ExchangeView", "This question has no answer."))
        foot = cls(foot_line(exchange.answer))
        if exchange.unknown:
            foot.add_misread(exchange.unknown)
        return foot

    def add(self, note: str) -> None:
        """Adds a sentence to the note."""
        self.note = "\n".join(filter(None, (self.note, note)))

    def add_misread(self, unknown: Sequence[str]) -> None:
        """Says that the model does not know these parts of the question."""
        self.warns = True
        self.add(translated(unknown_note(unknown)))


def foot_line(answer: Answer) -> str:
    """Returns a line that says how long the answer is, how long it took, and what ended it if it
    is not whole."""
    one, several = translate("ExchangeView", "1 token"), translate("ExchangeView", "{count} tokens")
    facts = [counted(answer.tokens, one, several)]
    if answer.tokens and answer.seconds_to_first_token:
        seconds = f"{answer.seconds_to_first_token:.2f}"
        first = translate("ExchangeView", "first word after {seconds} s")
        facts.append(first.format(seconds=seconds))
    if speed := answer.tokens_per_second:
        rate = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
        facts.append(translate("ExchangeView", "{rate} tokens/s").format(rate=rate))
    if answer.ending is not Ending.COMPLETE:
        facts.append(ending_text(answer.ending))
    if answer.left_out == 1:
        facts.append(translate("ExchangeView", "without 1 earlier question"))
    elif answer.left_out:
        without = translate("ExchangeView", "without {count} earlier questions")
        facts.append(without.format(count=answer.left_out))
    # A line is broken between facts, never inside one.
    return " · ".join(in_own_order(fact.replace(" ", "\u00a0")) for fact in facts)
