"""Decides what each image of a run is asked, and turns answers into captions, journal and files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.batch import changes, recovery, writing
from core.batch.changes import WrittenFile
from core.batch.doubt import Doubt, doubt_found, doubts_of
from core.batch.events import Answered, Captioned, Failed, Skipped, Stopped, Unused
from core.batch.items import HAS_THIS_CAPTION, NO_WORDS, Item, ItemState
from core.batch.ledger import Ledger, OnItem
from core.batch.stored import StoredAnswer
from core.batch.targets import Target
from core.engine import EngineFacts
from core.errors import StoreError
from core.files import DiskFull
from core.transcript import Answer

if TYPE_CHECKING:
    # It imports numpy, which would make the window's start slower.
    from core.words import Word

_QUICK, _PAUSES = 0.03, 3


@dataclass(eq=False)
class Work:
    """One image with its filled-in prompts, and the answers so far by prompt index.

    `streaming_index` is the prompt whose answer is shown while it is generated; `partial` has the
    prompts whose answers have begun. `notes` are those of the opened image. `in_doubt` are words of
    the answers, if a server said how sure its model was of them.
    """

    number: int
    path: Path
    prompts: list[str]
    answers: dict[int, StoredAnswer] = field(default_factory=dict[int, StoredAnswer])
    notes: tuple[str, ...] = ()
    is_failed: bool = False
    streaming_index: int | None = None
    partial: set[int] = field(default_factory=set[int])
    in_doubt: list[Word] = field(default_factory=list["Word"])

    @property
    def is_answered(self) -> bool:
        """Returns whether all prompts are answered."""
        return len(self.answers) == len(self.prompts)


class Recorder:
    """Records in the ledger what a run does; `core.batch.run` decides when, and in which thread.

    `written` is what earlier runs wrote, by the key of each place.
    """

    def __init__(
        self,
        ledger: Ledger,
        facts: EngineFacts,
        written: Mapping[str, WrittenFile],
        on_item: OnItem,
        on_doubts: Callable[[Sequence[Doubt]], None],
    ):
        self.options = ledger.options
        self._ledger, self._replayed, self._journal = ledger, ledger.replayed, ledger.journal
        self._written, self._on_item, self._on_doubts = written, on_item, on_doubts
        self._engine = facts
        self.pause_seconds = 0.0
        """How long to wait before captions are written into rows: a large table takes its time, and
        more captions are written together then."""
        self._model = facts.fingerprint or facts.model

    def work_on(self, number: int) -> Work | str:
        """Returns what is to be asked about an image, or the reason why it is skipped.

        Changes nothing; may be called from several threads. Raises StoreError.
        """
        path = self.path(number)
        targets = self._targets(path)
        if isinstance(targets, str):
            return targets
        caption = ""
        if any("{caption}" in prompt for prompt in self.options.prompts):
            caption = changes.existing_caption(self._ledger.targets.of(path))
        work = Work(number, path, self.options.filled_prompts(path, number + 1, caption))
        work.notes = self._replayed.notes.get(str(path), ())
        for index in range(len(work.prompts)):
            answer = self._replayed.answers.get((str(path), index))
            if answer and self.options.has_words(answer.text):
                work.answers[index] = answer
        return work

    def path(self, number: int) -> Path:
        """Returns the image file of an item."""
        return self._ledger.items[number].path

    def is_waiting(self, number: int) -> bool:
        """Returns whether the image still needs a caption, and did not get one by hand."""
        return self._ledger.is_waiting(number)

    def note(self, text: str) -> None:
        """Keeps a sentence for the user."""
        self._ledger.note(text)

    def set_state(self, number: int, state: ItemState, reason: str = "") -> None:
        """Changes an item's state, unless it was edited by hand meanwhile."""
        item = Item(self.path(number), state, reason=reason)
        self._ledger.set_if_waiting(number, item, self._on_item)

    def existing_caption(self, number: int) -> str:
        """Returns the caption in an image's files, for the tables; "" if the run has none, or the
        files cannot be read. Changes nothing; may be called from several threads."""
        if not self._ledger.tables.has_skipped:
            return ""
        try:
            return changes.existing_caption(self._ledger.targets.of(self.path(number)))
        except StoreError:
            return ""

    def skip(self, number: int, reason: str, caption: str) -> None:
        """Skips an image, whose files hold `caption`, unless it was edited by hand meanwhile."""
        self._add_skipped([Skipped(str(self.path(number)), caption)])
        self.set_state(number, ItemState.SKIPPED, reason)

    def add_skipped(self) -> None:
        """Adds the captions of the images that were skipped when the run was planned."""
        if self._ledger.tables.has_skipped:
            numbers = self._ledger.in_state(ItemState.SKIPPED)
            self._add_skipped(
                [Skipped(str(self.path(n)), self.existing_caption(n)) for n in numbers]
            )

    def _add_skipped(self, found: Sequence[Skipped]) -> None:
        if not self._ledger.tables.has_skipped:
            return
        known = self._replayed.skipped
        new = [one for one in found if known.get(one.picture, "") != one.caption]
        if not new:
            return
        with self._ledger.disk:
            self._journal.append(*new, is_durable=False)
            for one in new:
                self._replayed.add(one, self._ledger.names)
            self._ledger.tables.mark_old()

    def add_answer(self, work: Work, prompt_index: int, answer: Answer) -> None:
        """Keeps an answer in memory until it is written."""
        caption = self.options.caption_of(answer)
        stored = StoredAnswer.of(work.prompts[prompt_index], caption, answer)
        work.answers[prompt_index] = stored
        self._replayed.answers[str(work.path), prompt_index] = stored
        self._replayed.set_notes(str(work.path), work.notes)

    def write_answer(self, work: Work, prompt_index: int) -> None:
        """Writes one of several answers to the journal, so that it is not asked for again."""
        answer = work.answers[prompt_index]
        self._journal.append(Answered(str(work.path), prompt_index, answer, work.notes))

    def write_wordless(self, work: Work, prompt_index: int, answer: Answer) -> None:
        """Writes an answer without words of its own to the journal; the image gets no caption and
        fails."""
        caption = self.options.caption_of(answer)
        stored = StoredAnswer.of(work.prompts[prompt_index], caption, answer)
        with self._ledger.disk:
            self._journal.append(Unused(str(work.path), (stored,)), is_durable=False)
            self.fail(work.number, NO_WORDS)

    def write_stopped(self, work: Work, prompt_index: int, answer: Answer) -> None:
        """Writes an answer that was stopped half-way to the journal; the item waits again."""
        stopped = Stopped(str(work.path), prompt_index, answer.text)
        self._journal.append(stopped, is_durable=False)
        self.set_state(work.number, ItemState.WAITING)

    def write(self, works: Sequence[Work]) -> None:
        """Writes captions: the journal first, then the files, then the tables.

        If an item's files cannot be written, it fails with that reason. Raises DiskFull.
        """
        with self._ledger.disk:
            captioned = [event for work in works if (event := self._captioned(work))]
            self._journal.append(*captioned)
            for event in captioned:
                self._replayed.unwritten[event.picture] = event
            try:
                began = time.monotonic()
                writing.write_rows(self._ledger, captioned)
                self._note_pause(time.monotonic() - began)
                errors = writing.write_all(self._ledger, captioned, self._on_item)
                for event in captioned:
                    if error := errors.get(event.picture):
                        self._take_back(event, error)
                self._ledger.tables.add(filter(self._is_done, captioned), self._engine)
                self._add_doubts(works, filter(self._is_done, captioned))
            except DiskFull:
                self._ledger.tables.mark_old()  # Some lack rows of captions that were written.
                raise

    def _note_pause(self, seconds: float) -> None:
        self.pause_seconds = _PAUSES * seconds if seconds > _QUICK else 0.0

    def fail(self, number: int, reason: str) -> None:
        """Records why there is no caption, unless the item was edited by hand meanwhile."""
        with self._ledger.disk:
            if self._ledger.is_waiting(number):
                self._fail(number, reason)

    def finish_writing(self) -> None:
        """Writes the files that could not be written when the run was opened, or before that.

        A caption that cannot be written now fails; a person's edit stays to be finished, so that
        no words of theirs are lost. Raises DiskFull.
        """
        for name, error in recovery.finish_writing(self._ledger, self._on_item).items():
            event = self._replayed.unwritten[name]
            if isinstance(event, Captioned):
                self._take_back(event, error)
            else:
                recovery.mark_unfinished(self._ledger, name, error, self._on_item)

    def _add_doubts(self, works: Sequence[Work], captioned: Iterable[Captioned]) -> None:
        in_doubt = {str(work.path): work.in_doubt for work in works if work.in_doubt}
        found = [
            doubt_found(event.picture, event.caption, in_doubt[event.picture], self._model)
            for event in captioned
            if event.picture in in_doubt
        ]
        if found:
            self._journal.append(*found, is_durable=False)
            for doubt in found:
                self._replayed.add(doubt, self._ledger.names)
            self._ledger.tables.mark_old()
            self._on_doubts(list(doubts_of(found, self._ledger.items, self._ledger.numbers)))

    def _targets(self, path: Path) -> list[Target] | str:
        """Returns where to write the caption, or the reason why nowhere. Raises StoreError."""
        return changes.targets_to_write(
            path,
            self._ledger.targets.of(path),
            self.options,
            self._model,
            self._written,
            self._ledger.began,
        )

    def _captioned(self, work: Work) -> Captioned | None:
        """Returns what is to be written; None if the files cannot be read, or if the image got a
        caption from elsewhere meanwhile."""
        answers = tuple(work.answers[index] for index in range(len(work.prompts)))
        unused = Unused(str(work.path), answers)
        if not self._ledger.is_waiting(work.number):
            self._journal.append(unused, is_durable=False)
            return None
        options = self.options
        caption = options.whole_caption([answer.caption for answer in answers])
        first = options.whole_caption([answers[0].caption])
        try:
            targets = self._targets(work.path)
            if isinstance(targets, str):
                self._journal.append(unused, is_durable=False)
                self.skip(work.number, targets, self.existing_caption(work.number))
                return None
            to_make = [
                changes.change_by_run(work.path, t, caption, first, options) for t in targets
            ]
            if options.adds_to_captions:
                to_make = [change for change in to_make if change.before != change.after]
                if targets and not to_make:
                    self._journal.append(unused, is_durable=False)
                    existing = self.existing_caption(work.number)
                    self.skip(work.number, HAS_THIS_CAPTION, existing)
                    return None
        except StoreError as error:
            self._fail(work.number, error.message)
            return None
        return Captioned(
            str(work.path),
            caption,
            answers,
            self._model,
            options.recipe(self._model),
            tuple(change.stored() for change in to_make),
            work.notes,
        )

    def _take_back(self, event: Captioned, error: StoreError) -> None:
        writing.take_back(self._ledger, event)
        self._fail(self._ledger.numbers[event.picture], error.message)

    def _fail(self, number: int, reason: str) -> None:
        path = self.path(number)
        self._journal.append(Failed(str(path), reason), is_durable=False)
        self._replayed.unwritten.pop(str(path), None)
        item = Item(path, ItemState.FAILED, reason=reason)
        self._ledger.set_item(number, item, self._on_item)

    def _is_done(self, event: Captioned) -> bool:
        number = self._ledger.numbers[event.picture]
        return self._ledger.items[number].state is ItemState.DONE
