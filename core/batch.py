"""A folder captioned in order: what to skip, what failed, what is next; its journal.

Every caption is in the journal, with what its files held before, ahead of the first byte that is
written beside a picture. A run that was killed at any point is so finished from its journal
without asking the model anything twice, and a run is undone from it.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import batch_files, batch_history, export, sidecar
from core.batch_files import Change
from core.batch_find import export_folder, found_pictures, planned, sharing_names
from core.batch_history import KeptRun as KeptRun
from core.batch_history import Past, item_after, item_record, undone
from core.batch_history import find_runs as find_runs
from core.batch_plan import BatchOptions, Item, ItemState, Tally
from core.batch_run import Answerer, Control, Hear, Run, Work
from core.batch_tables import Tables, our_version
from core.errors import StoreError
from core.journal import SUFFIX, Journal, Record, records
from core.sidecar import DiskFull, Existing
from core.transcript import Answer, EngineFacts


def _ignore(*_: Any) -> None:
    """Hears nothing."""


class Batch:
    """One run over pictures, and its journal, which is open until `close`.

    `items` may be read from any thread, and are replaced as the run goes on. `run` blocks and
    belongs to the engine's thread; `edit`, `retry_failed` and `undo` take a few milliseconds to
    minutes of disk and may be called from another, `undo` while nothing runs.
    """

    def __init__(
        self, journal: Journal, roots: Sequence[Path], options: BatchOptions, exports: Record
    ):
        """Use `begin` or `resume`."""
        self.roots = tuple(roots)
        self.options = options
        self.items: list[Item] = []
        self.notes: list[str] = []
        self._journal = journal
        paths = {kind: Path(path) for kind, path in exports.items()}
        self._tables = Tables(paths, options, journal.path, self.note)
        self._are_tables_old = False
        # Of files, and so of the order in which they are written; everything else is one step.
        self._disk = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._past = Past()
        self._made: dict[str, tuple[str, str]] = {}
        self._facts: EngineFacts | None = None

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Batch:
        """Find the pictures and begin a journal in the folder `journals`.

        `roots` are folders, files, and patterns with * or ?. Raises StoreError, ValueError.
        """
        options.checked()
        roots = [root.absolute() for root in roots]
        found = found_pictures(roots, options)
        folder = export_folder(roots)
        exports = {
            kind: str(export.free_path(folder, kind))
            for kind in export.KINDS
            if kind in options.writes
        }
        now = datetime.now(UTC)
        path = journals / f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}{SUFFIX}"
        batch = cls(Journal(path), roots, options, exports)
        batch._journal.append(
            {
                "kind": "begin",
                "journal": batch_history.VERSION,
                "version": our_version(),
                "when": now.isoformat(timespec="seconds"),
                "roots": [str(root) for root in roots],
                "options": asdict(options),
                "exports": exports,
            }
        )
        batch._plan(found)
        return batch

    @classmethod
    def resume(cls, path: Path) -> Batch:
        """Open the run of a journal where it was left. Raises StoreError."""
        header = batch_history.header_of(path)
        if header is None:
            raise StoreError("This run's journal is damaged. Begin the run anew.")
        roots = [Path(root) for root in header["roots"]]
        options = BatchOptions.from_record(header["options"])
        batch = cls(Journal(path), roots, options, header["exports"])
        found = found_pictures(roots, options)
        past = batch._past
        for record in records(path):
            past.add(record, options)
        batch._facts = past.facts
        missing = [Path(name) for name in past.items.keys() - {str(path) for path in found}]
        batch._plan([*found, *sorted(missing)])
        return batch

    # Reading it

    @property
    def tally(self) -> Tally:
        counts = Counter(item.state for item in self.items)
        failures = (item.reason for item in self.items if item.state is ItemState.FAILED)
        reasons = Counter(re.sub("“[^”]*”", "“…”", reason) for reason in failures)
        return Tally(
            done=counts[ItemState.DONE],
            skipped=counts[ItemState.SKIPPED],
            failed=counts[ItemState.FAILED],
            waiting=counts[ItemState.WAITING] + counts[ItemState.WORKING],
            undone=counts[ItemState.UNDONE],
            reasons=tuple(reasons.most_common()),
        )

    @property
    def journal_path(self) -> Path:
        return self._journal.path

    @property
    def exports(self) -> dict[str, Path]:
        """The run's tables, by their kind."""
        return self._tables.paths

    @property
    def is_undone(self) -> bool:
        return self._past.is_undone

    @property
    def can_undo_edit(self) -> bool:
        """Whether there is a hand edit to take back."""
        return bool(self._past.edits)

    def caption_beside(self, number: int) -> str:
        """What the files beside a picture say, which for a skipped one its item does not tell.
        Raises StoreError."""
        return batch_files.existing_caption(self.items[number].path, self.options)

    def close(self) -> None:
        """Bring the run's tables up to date and let go of the journal. Raises StoreError."""
        with self._disk:
            try:
                if self._are_tables_old and not self.is_undone:
                    self._tables.renew()
            finally:
                self._journal.close()

    # Running it

    def run(
        self,
        engine: Answerer,
        control: Control,
        hear: Hear = _ignore,
        on_piece: Callable[[int, str], None] = _ignore,
        *,
        slots: int = 1,
    ) -> Tally:
        """Caption what waits; returns when nothing does, or when `control` has ended it.

        `hear(number, item)` is called from this thread and from the writing one. With one slot
        `on_piece(number, piece)` tells the caption as it comes. Raises DiskFull when there is no
        room for the journal or a caption, and EngineError when the model fails again and again;
        nothing is lost then, and `run` goes on from there.
        """
        if self.is_undone:
            return self.tally
        self._facts = engine.facts
        with self._disk:
            self._journal.append({"kind": "run", "facts": asdict(engine.facts)})
            self._finish_writing(hear)
            self._tables.renew()
        if self.options.existing in (Existing.REPLACE, Existing.STALE):
            self._made = batch_history.made_by_runs(self.journal_path.parent, self.roots)
        waiting = deque(
            number for number, item in enumerate(self.items) if item.state is ItemState.WAITING
        )
        try:
            with ThreadPoolExecutor(1, "captions") as writer:
                run = Run(self, engine, control, hear, on_piece, writer)
                # Beams take no slots.
                run.go(waiting, slots if self.options.sampling.beams == 1 else 1)
        finally:
            for number, item in enumerate(self.items):
                if item.state is ItemState.WORKING:
                    self._set(number, replace(item, state=ItemState.WAITING), hear)
        with self._disk:
            tally = self.tally
            if not tally.waiting:
                self._tables.renew()
                self._journal.append({"kind": "end", "done": tally.done, "failed": tally.failed})
        return tally

    def retry_failed(self, hear: Hear = _ignore) -> int:
        """Let every failed picture wait again; gives how many. `run` takes them up."""
        with self._disk:
            failed = [n for n, item in enumerate(self.items) if item.state is ItemState.FAILED]
            if failed:
                self._journal.append({"kind": "retry"})
            for number in failed:
                self._set(number, Item(self.items[number].path), hear)
            self._fail_shared_names(hear)
        return len(failed)

    # By hand, and back

    def edit(self, number: int, caption: str, hear: Hear = _ignore) -> None:
        """Write a person's caption beside the picture at once. Raises StoreError."""
        with self._disk:
            self._edit(number, caption, secrets.token_hex(4), hear)

    def edit_all(self, captions: Mapping[int, str], hear: Hear = _ignore) -> int:
        """Write a person's captions, by their pictures' numbers, as one edit; gives how many.

        A picture whose files cannot be written is noted. Raises DiskFull.
        """
        group = secrets.token_hex(4)
        count = 0
        for number, caption in captions.items():
            with self._disk:
                try:
                    self._edit(number, caption, group, hear)
                    count += 1
                except DiskFull:
                    raise
                except StoreError as error:
                    self.note(str(error))
        return count

    def undo_edit(self, hear: Hear = _ignore) -> int:
        """Take back the last hand edit, all of it; gives how many captions are as before it.

        One whose files somebody has changed since stays, and is noted. Raises StoreError.
        """
        count = 0
        with self._disk:
            edits = self._past.edits
            last = [edit for edit in edits if edit.get("group") == edits[-1].get("group")]
            for edit in reversed(last):
                changes = [Change.from_record(record).back() for record in edit["files"]]
                is_ours = all(change.is_to_make for change in changes)
                if is_ours:
                    count += 1
                else:
                    name = Path(edit["picture"]).name
                    self.note(f"“{name}” was changed since, and is left as it is.")
                    changes = []
                number = self._numbers[edit["picture"]]
                before = edit.get("was") or item_record(Item(self.items[number].path))
                self._write_by_hand(
                    {
                        "kind": "unedit",
                        "group": edit.get("group"),
                        "picture": edit["picture"],
                        "was": before if is_ours else item_record(self.items[number]),
                        "files": [change.record() for change in changes],
                    },
                    hear,
                )
        return count

    def undo(self, hear: Hear = _ignore, *, keeps_edits: bool = True) -> list[Path]:
        """Give every file of the run back what it held before; gives those that were left
        because somebody has changed them since. Raises StoreError; called again it goes on.

        With `keeps_edits` so are captions of the run that were edited by hand. What a hand edit
        put in the place of a text that the run had skipped is taken back.
        """
        with self._disk:
            self._journal.append({"kind": "undo"})
            self._past.is_undone = True
            left = self._taken_back(keeps_edits)
            self._tables.remove()
            done = {"kind": "undone", "left": [str(path) for path in left]}
            self._journal.append(done)
            self._past.add(done, self.options)
            for number, item in enumerate(self.items):
                if item.state is not ItemState.SKIPPED:
                    self._set(number, undone(item, left, self.options), hear)
        return left

    def _taken_back(self, keeps_edits: bool) -> list[Path]:
        """Every file with what it held before, but for those that are given."""
        changes: dict[Path, list[Change]] = {}
        written: set[str] = set()
        for record in records(self._journal.path):
            if record["kind"] == "item":
                written.add(record["picture"])
            for change in map(Change.from_record, record.get("files", ())):
                changes.setdefault(change.path, []).append(change)
        kept: set[Path] = set()
        if keeps_edits:
            edited = (item for item in self.items if item.is_edited and str(item.path) in written)
            kept = {target for item in edited for target in self.options.targets(item.path)}
        left = []
        for path, made in changes.items():
            sidecar.remove_part(path)
            if path in kept or not batch_files.take_back(made):
                left.append(path)
        return left

    def _edit(self, number: int, caption: str, group: str, hear: Hear) -> None:
        item = self.items[number]
        changes = [
            batch_files.by_hand(target, caption) for target in self.options.targets(item.path)
        ]
        self._write_by_hand(
            {
                "kind": "edit",
                "group": group,
                "picture": str(item.path),
                "caption": caption,
                "was": item_record(item),
                "files": [change.record() for change in changes],
            },
            hear,
        )

    def _write_by_hand(self, record: Record, hear: Hear) -> None:
        """Journal first, then the files, which are to be as they were found for it."""
        self._journal.append(record)
        for change in map(Change.from_record, record["files"]):
            change.make()
        name = record["picture"]
        self._past.unwritten.pop(name, None)
        self._past.note_edit(record)
        self._journal.append({"kind": "written", "picture": name}, is_durable=False)
        self._set(self._numbers[name], item_after(record), hear)
        self._are_tables_old = bool(self.exports)

    # For `core.batch_run`

    def work_on(self, number: int) -> Work | str:
        """What is to be done about a picture, or why nothing is; changes nothing.

        Called from many threads. Raises StoreError.
        """
        path = self.items[number].path
        targets = batch_files.to_write(path, self.options, self._model, self._made)
        if isinstance(targets, str):
            return targets
        before = ""
        if any("{caption}" in prompt for prompt in self.options.prompts):
            before = batch_files.existing_caption(path, self.options)
        prompts = self.options.filled_prompts(path, number + 1, before)
        work = Work(number, path, targets, prompts)
        for place in range(len(prompts)):
            if kept := self._past.answers.get((str(path), place)):
                work.answers[place] = kept
        return work

    def is_waiting(self, number: int) -> bool:
        """Whether the picture still is to get a caption, and got none by hand meanwhile."""
        return self.items[number].state in (ItemState.WAITING, ItemState.WORKING)

    def set_state(self, number: int, state: ItemState, hear: Hear, reason: str = "") -> None:
        """Show where the picture is, unless it has a caption by hand."""
        if self.is_waiting(number):
            self._set(number, Item(self.items[number].path, state, reason=reason), hear)

    def take_answer(self, work: Work, place: int, answer: Answer) -> None:
        """Take it up; it is kept in memory until it is written."""
        record = _answer_record(work.prompts[place], answer, self.options.caption_of(answer))
        work.answers[place] = record
        self._past.answers[str(work.path), place] = record

    def keep_answer(self, work: Work, place: int) -> None:
        """One of several is in the journal as soon as it is said."""
        key = {"kind": "answer", "picture": str(work.path), "place": place}
        self._journal.append({**key, "answer": work.answers[place]})

    def keep_half(self, work: Work, place: int, answer: Answer, hear: Hear) -> None:
        half = {"kind": "stopped", "picture": str(work.path), "place": place}
        self._journal.append({**half, "text": answer.text}, is_durable=False)
        self.set_state(work.number, ItemState.WAITING, hear)

    def write(self, works: Sequence[Work], hear: Hear) -> None:
        """Journal first, then the files; a folder that takes none is the row's reason."""
        with self._disk:
            written = [record for work in works if (record := self._item_record(work, hear))]
            self._journal.append(*written)
            for record in written:
                self._past.unwritten[record["picture"]] = record
            for record in written:
                self._finish_item(record, hear)
            self._tables.add([r for r in written if self._is_done(r)], self._facts)

    def fail(self, number: int, reason: str, hear: Hear) -> None:
        """Keep why there is no caption."""
        name = str(self.items[number].path)
        self._journal.append(
            {"kind": "failed", "picture": name, "reason": reason}, is_durable=False
        )
        self._past.unwritten.pop(name, None)
        self._set(number, Item(Path(name), ItemState.FAILED, reason=reason), hear)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    # Inside

    @property
    def _model(self) -> str:
        assert self._facts is not None
        return self._facts.fingerprint or self._facts.model

    def _set(self, number: int, item: Item, hear: Hear) -> None:
        self.items[number] = item
        hear(number, item)

    def _is_done(self, record: Record) -> bool:
        return self.items[self._numbers[record["picture"]]].state is ItemState.DONE

    def _plan(self, found: Sequence[Path]) -> None:
        self.items = planned(found, self.options, self._past.items)
        self._numbers = {str(item.path): n for n, item in enumerate(self.items)}
        self._past.items.clear()
        self._fail_shared_names(_ignore)

    def _fail_shared_names(self, hear: Hear) -> None:
        for number, reason in list(sharing_names(self.items, self.options)):
            item = self.items[number]
            self._set(number, replace(item, state=ItemState.FAILED, reason=reason), hear)

    def _finish_writing(self, hear: Hear) -> None:
        """Write what the journal has and a killed process may not have written."""
        for record in list(self._past.unwritten.values()):
            self._finish_item(record, hear)

    def _item_record(self, work: Work, hear: Hear) -> Record | None:
        """What is to be written; None when it cannot, or somebody has written by hand there."""
        answers = [work.answers[place] for place in range(len(work.prompts))]
        if not self.is_waiting(work.number):
            unused = {"kind": "unused", "picture": str(work.path), "answers": answers}
            self._journal.append(unused, is_durable=False)
            return None
        caption = "\n".join(answer["caption"] for answer in answers)
        first, existing = answers[0]["caption"], self.options.existing
        try:
            changes = [batch_files.by_run(t, caption, first, existing) for t in work.targets]
        except StoreError as error:
            self.fail(work.number, str(error), hear)
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

    def _finish_item(self, record: Record, hear: Hear) -> None:
        name = record["picture"]
        number = self._numbers[name]
        item = item_after(record)
        try:
            for change in map(Change.from_record, record["files"]):
                if change.is_to_make:
                    change.make()
                else:
                    sidecar.remove_part(change.path)
                    if not change.is_made:
                        item = replace(item, is_edited=True)
        except DiskFull:
            raise
        except StoreError as error:
            self.fail(number, str(error), hear)
            return
        self._journal.append({"kind": "written", "picture": name}, is_durable=False)
        self._past.unwritten.pop(name, None)
        for place in range(len(self.options.prompts)):
            self._past.answers.pop((name, place), None)
        self._set(number, item, hear)


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
