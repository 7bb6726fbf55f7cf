"""What becomes of each picture of a run: what is to be asked, and how the answers are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.batch import files as batch_files
from core.batch.files import Change
from core.batch.history import item_after
from core.batch.journal import Record
from core.batch.ledger import Hear, Ledger
from core.batch.options import Item, ItemState
from core.engine import EngineFacts
from core.errors import StoreError
from core.files import DiskFull, remove_partial
from core.transcript import Answer


@dataclass(eq=False)
class Work:
    """One picture with its questions; `answers` by the place of their prompt.

    `told` is the place of the answer that is told as it comes, `begun` are those that have come
    in part.
    """

    number: int
    path: Path
    prompts: list[str]
    answers: dict[int, Record] = field(default_factory=dict)
    is_failed: bool = False
    told: int | None = None
    begun: set[int] = field(default_factory=set)

    @property
    def is_answered(self) -> bool:
        return len(self.answers) == len(self.prompts)


class Desk:
    """Between a run and its ledger. `hear` is told of each row that changes, in whatever thread.

    `made` has, for each file that an earlier run has written, its fingerprint and its recipe.
    """

    def __init__(
        self,
        ledger: Ledger,
        facts: EngineFacts,
        made: Mapping[str, tuple[str, str]],
        hear: Hear,
    ):
        self.options = ledger.options
        self._ledger, self._past, self._journal = ledger, ledger.past, ledger.journal
        self._facts, self._made, self._hear = facts, made, hear
        self._model = facts.fingerprint or facts.model

    def work_on(self, number: int) -> Work | str:
        """What is to be done about a picture, or why nothing is; changes nothing.

        Called from many threads. Raises StoreError.
        """
        path = self._ledger.items[number].path
        targets = self._targets(path)
        if isinstance(targets, str):
            return targets
        before = ""
        if any("{caption}" in prompt for prompt in self.options.prompts):
            before = batch_files.existing_caption(path, self.options)
        prompts = self.options.filled_prompts(path, number + 1, before)
        work = Work(number, path, prompts)
        for place in range(len(prompts)):
            if kept := self._past.answers.get((str(path), place)):
                work.answers[place] = kept
        return work

    def path(self, number: int) -> Path:
        return self._ledger.items[number].path

    def is_waiting(self, number: int) -> bool:
        """Whether the picture still is to get a caption, and got none by hand meanwhile."""
        return self._ledger.is_waiting(number)

    def note(self, text: str) -> None:
        """Keep a sentence for the person."""
        self._ledger.note(text)

    def set_state(self, number: int, state: ItemState, reason: str = "") -> None:
        """Show where the picture is, unless it has a caption by hand."""
        item = Item(self._ledger.items[number].path, state, reason=reason)
        self._ledger.set_waiting(number, item, self._hear)

    def take_answer(self, work: Work, place: int, answer: Answer) -> None:
        """Take it up; it is kept in memory until it is written."""
        record = _answer_record(work.prompts[place], answer, self.options.caption_of(answer))
        work.answers[place] = record
        self._past.answers[str(work.path), place] = record

    def keep_answer(self, work: Work, place: int) -> None:
        """One of several is in the journal as soon as it is said."""
        key = {"kind": "answer", "picture": str(work.path), "place": place}
        self._journal.append({**key, "answer": work.answers[place]})

    def keep_half(self, work: Work, place: int, answer: Answer) -> None:
        half = {"kind": "stopped", "picture": str(work.path), "place": place}
        self._journal.append({**half, "text": answer.text}, is_durable=False)
        self.set_state(work.number, ItemState.WAITING)

    def write(self, works: Sequence[Work]) -> None:
        """Journal first, then the files; a folder that takes none is the row's reason."""
        with self._ledger.disk:
            written = [record for work in works if (record := self._item_record(work))]
            self._journal.append(*written)
            for record in written:
                self._past.unwritten[record["picture"]] = record
            for record in written:
                self._finish_item(record)
            self._ledger.tables.add([r for r in written if self._is_done(r)], self._facts)

    def fail(self, number: int, reason: str) -> None:
        """Keep why there is no caption, unless there is one by hand."""
        with self._ledger.disk:
            if self._ledger.is_waiting(number):
                self._fail(number, reason)

    def finish_writing(self) -> None:
        """Write what the journal has and a killed process may not have written."""
        for record in list(self._past.unwritten.values()):
            self._finish_item(record)

    def _targets(self, path: Path) -> list[Path] | str:
        """The files that are to get the picture's caption, or why none is. Raises StoreError."""
        return batch_files.to_write(path, self.options, self._model, self._made)

    def _item_record(self, work: Work) -> Record | None:
        """What is to be written; None when it cannot, or somebody has written there meanwhile."""
        answers = [work.answers[place] for place in range(len(work.prompts))]
        unused = {"kind": "unused", "picture": str(work.path), "answers": answers}
        if not self._ledger.is_waiting(work.number):
            self._journal.append(unused, is_durable=False)
            return None
        caption = "\n".join(answer["caption"] for answer in answers)
        first, existing = answers[0]["caption"], self.options.existing
        try:
            targets = self._targets(work.path)
            if isinstance(targets, str):
                self._journal.append(unused, is_durable=False)
                self.set_state(work.number, ItemState.SKIPPED, targets)
                return None
            changes = [batch_files.by_run(t, caption, first, existing) for t in targets]
        except StoreError as error:
            self._fail(work.number, str(error))
            return None
        return {
            "kind": "item",
            "picture": str(work.path),
            "caption": caption,
            "answers": answers,
            "model": self._model,
            "recipe": self.options.recipe(self._model),
            "files": [change.record() for change in changes],
        }

    def _finish_item(self, record: Record) -> None:
        name = record["picture"]
        number = self._ledger.numbers[name]
        item = item_after(record)
        try:
            for change in map(Change.from_record, record["files"]):
                if change.is_to_make:
                    change.make()
                else:
                    remove_partial(change.path)
                    if not change.is_made:
                        item = replace(item, is_edited=True)
        except DiskFull:
            raise
        except StoreError as error:
            self._fail(number, str(error))
            return
        self._journal.append({"kind": "written", "picture": name}, is_durable=False)
        self._past.unwritten.pop(name, None)
        for place in range(len(self.options.prompts)):
            self._past.answers.pop((name, place), None)
        self._ledger.set(number, item, self._hear)

    def _fail(self, number: int, reason: str) -> None:
        path = self._ledger.items[number].path
        record = {"kind": "failed", "picture": str(path), "reason": reason}
        self._journal.append(record, is_durable=False)
        self._past.unwritten.pop(str(path), None)
        self._ledger.set(number, Item(path, ItemState.FAILED, reason=reason), self._hear)

    def _is_done(self, record: Record) -> bool:
        number = self._ledger.numbers[record["picture"]]
        return self._ledger.items[number].state is ItemState.DONE


def _answer_record(prompt: str, answer: Answer, caption: str) -> Record:
    return {
        "prompt": prompt,
        "caption": caption,
        "text": answer.text,
        "ending": answer.ending.value,
        "tokens": answer.tokens,
        "seconds": round(answer.seconds, 3),
        "seed": answer.seed,
    }
