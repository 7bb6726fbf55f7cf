"""One conversation: its transcript, the answer under way, and what was found out about answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PIL import Image
from PySide6.QtCore import QCoreApplication

from core.picture import Picture, PicturePart, cut_out
from core.transcript import Answer, Ending, Exchange, Request, Sampling, Span, Transcript
from gui.conversation.part_button import asked_text
from gui.session.history import Change, Chosen, History, Step, Struck

if TYPE_CHECKING:
    from core.words import Evidence

translate = QCoreApplication.translate


@dataclass(eq=False)
class Conversation:
    """A transcript that grows by `begin_answer` and `end_answer`. Belongs to the GUI thread.

    `kept_as` is its id in the store, None before it is saved. By the exchange's number in the
    tree, `requests` holds what was asked in this run of the program and `evidence` what was found
    out about the words. `prompt`, `model`, `unknown`, `pieces`, `began`, `asked` and `is_answered`
    belong to the answer under way, and so do `part`, what the question is about, `replaced`, the
    index in whose place it is asked, None at the end, and `must_stop`, whether there is to be no
    further try.
    """

    transcript: Transcript
    kept_as: int | None = None
    requests: dict[int, Request] = field(default_factory=dict)
    evidence: dict[int, Evidence] = field(default_factory=dict)
    history: History = field(default_factory=History)
    prompt: str = ""
    part: PicturePart | None = None
    model: str = ""
    unknown: tuple[str, ...] = ()
    pieces: list[str] = field(default_factory=list)
    began: float = 0.0
    asked: Request | None = None
    replaced: int | None = None
    must_stop: bool = False
    is_answered: asyncio.Event = field(default_factory=asyncio.Event)
    # The part that was asked about last: engines know the same pixels again.
    _cut_out: tuple[PicturePart, Picture] | None = None

    @property
    def so_far(self) -> Transcript:
        """What is shown, without the answer under way."""
        if self.replaced is None:
            return self.transcript
        return self.transcript.before(self.replaced)

    def number_at(self, index: int) -> int:
        """Return the number in the tree of the exchange shown at this index."""
        return self.transcript.tree.path[index]

    # While another picture is shown

    def rest(self) -> None:
        """Let go of the pixels until `resume`; nothing can be asked meanwhile."""
        picture = self.transcript.picture
        blank = Image.new("RGB", (1, 1))
        self._change_picture(replace(picture, pixels=blank, original_size=picture.full_size))
        self.asked = None

    def resume(self, picture: Picture) -> None:
        """Go on about the picture, which was opened again."""
        self._change_picture(picture)

    def follow(self, picture: Picture) -> None:
        """Be about a picture's file from now on: it is the same one, moved or written anew."""
        mine = self.transcript.picture
        self._change_picture(replace(mine, path=picture.path, identity=picture.identity))

    def _change_picture(self, picture: Picture) -> None:
        self.transcript = replace(self.transcript, picture=picture)
        self._cut_out = None
        # One about several pictures, or a part, is rebuilt from the settings if it is needed again.
        self.requests = {
            number: replace(request, picture=picture)
            for number, request in self.requests.items()
            if not request.others and self._exchange(number).part is None
        }

    def picture_of(self, part: PicturePart | None) -> Picture:
        """Return what a question about a part of the picture is asked about; None for all of it."""
        if part is None:
            return self.transcript.picture
        if self._cut_out is None or self._cut_out[0] != part:
            self._cut_out = part, cut_out(self.transcript.picture, part)
        return self._cut_out[1]

    # Answers

    def begin_answer(
        self, prompt: str, at: int | None = None, part: PicturePart | None = None
    ) -> None:
        """Ask `prompt` as the next question, about `part`, or in place of index `at`, about the
        same as there; `begin_try` follows."""
        self.replaced, self.must_stop = at, False
        self.part = part if at is None else self.transcript.exchanges[at].part
        self.prompt, self.model, self.unknown = prompt, "", ()
        self.pieces, self.asked = [], None
        self.is_answered.clear()

    def begin_try(self, sampling: Sampling, others: tuple[Picture, ...] = ()) -> Request:
        """Return the request for the answer under way; what came of an earlier try is left out."""
        self.pieces = []
        self.began = time.perf_counter()
        turns = self.so_far.asking(self.prompt, self.part)
        self.asked = Request(self.picture_of(self.part), turns, sampling, others=others)
        return self.asked

    def is_new(self, answer: Answer) -> bool:
        """Return whether no answer says the same that was given in the place of the one under way.

        One that was stopped ends the tries.
        """
        if self.replaced is None or answer.ending is Ending.STOPPED:
            return True
        former = self.number_at(self.replaced)
        return self._known(former, Exchange(self.prompt, answer)) is None

    def end_answer(self, answer: Answer | None) -> bool:
        """Put the exchange under way into the transcript; None if nothing was generated.

        An answer that was given before, or that says nothing although another one does, is left
        out. Returns whether this one was put in; what is shown is then that one.
        """
        self.is_answered.set()
        at, self.replaced = self.replaced, None
        exchange = Exchange(self.prompt, answer, self.model, unknown=self.unknown, part=self.part)
        former = None if at is None else self.number_at(at)
        number = known = None if former is None else self._known(former, exchange)
        if number is None:
            number = self._put(exchange, at)
            if self.asked is not None:
                self.requests[number] = self.asked
        if former is not None and number != former:
            is_same = self._exchange(former).prompt == self.prompt
            self.history.add(
                Chosen(Change.REGENERATED if is_same else Change.EDITED, former, number)
            )
            self._choose(number)
        return known is None

    def partial_answer(self) -> Answer | None:
        """Return the text so far of an answer that did not end by itself; None if there is none."""
        text = "".join(self.pieces).strip()
        seconds = time.perf_counter() - self.began
        return Answer(text, Ending.STOPPED, tokens=0, seconds=seconds) if text else None

    def request(self, index: int, sampling: Sampling) -> Request:
        """Return what exchange `index` was asked with.

        For one of an earlier run of the program it is rebuilt, with the `sampling` given.
        """
        if (number := self.number_at(index)) in self.requests:
            return self.requests[number]
        before, exchange = self.transcript.before(index), self.transcript.exchanges[index]
        turns = before.asking(exchange.prompt, exchange.part)
        return Request(self.picture_of(exchange.part), turns, sampling)

    # Changes that can be undone

    def choose(self, index: int, number: int) -> None:
        """Show exchange `number`, and what followed it, in place of the one at `index`."""
        self.history.add(Chosen(Change.ANOTHER_CHOSEN, self.number_at(index), number))
        self._choose(number)

    def strike(self, index: int, span: Span, *, is_struck: bool) -> None:
        """Strike a span of answer `index` out, or restore it."""
        before = self.transcript.exchanges[index].struck
        after = {*before, span} if is_struck else {one for one in before if one != span}
        change = Change.STRUCK if is_struck else Change.RESTORED
        step = Struck(change, self.number_at(index), before, tuple(sorted(after)))
        self.history.add(step)
        self.take(step)

    def take(self, step: Step) -> int:
        """Make a change of the history; return the index of the exchange that differs then."""
        match step:
            case Struck(_, number, _, after):
                self._change(number, replace(self._exchange(number), struck=after))
            case Chosen(_, _, number):
                self._choose(number)
        return self.transcript.tree.path.index(number)

    # Inside

    def _known(self, former: int, exchange: Exchange) -> int | None:
        """Return the exchange in the same place that makes this one superfluous, if there is."""
        same = self.transcript.tree.answers(former, exchange.prompt)
        said = {one: _words(self._exchange(one)) for one in same}
        if words := _words(exchange):
            return next((one for one in same if said[one] == words), None)
        others = [one for one in same if said[one]]
        return self.transcript.tree.chosen_last(others) if others else None

    def _put(self, exchange: Exchange, at: int | None) -> int:
        """Add the exchange, in place of one with its question that has no words if there is."""
        if at is not None:
            for one in self.transcript.tree.answers(self.number_at(at), exchange.prompt):
                if not _words(self._exchange(one)):
                    self._change(one, exchange)
                    return one
        self.transcript = self.transcript.with_exchange(exchange, at)
        return len(self.transcript.tree.nodes) - 1

    def _exchange(self, number: int) -> Exchange:
        return self.transcript.tree.nodes[number].exchange

    def _choose(self, number: int) -> None:
        tree = self.transcript.tree.choosing(number)
        self.transcript = replace(self.transcript, tree=tree)

    def _change(self, number: int, exchange: Exchange) -> None:
        tree = self.transcript.tree.with_changed(number, exchange)
        self.transcript = replace(self.transcript, tree=tree)


def _words(exchange: Exchange) -> str:
    """Returns what the model said, before anything was struck out."""
    return exchange.answer.text.strip() if exchange.answer else ""


def as_text(transcript: Transcript) -> str:
    """Return the whole conversation as plain text, for a file."""
    no_answer = translate("Conversation", "(no answer)")
    exchanges = [
        f"{asked_text(exchange.prompt, exchange.part)}\n\n"
        f"{exchange.text if exchange.answer else no_answer}\n"
        for exchange in transcript.exchanges
    ]
    return "\n".join([f"{transcript.picture.name}\n", *exchanges])
