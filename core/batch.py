"""A folder captioned in order: what to skip, what failed, what is next; its journal.

Every caption is in the journal, with what its files held before, ahead of the first byte that is
written beside a picture. A run that was killed at any point is so finished from its journal
without asking the model anything twice, and a run is undone from it.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import re
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from core import export, sidecar, xmp
from core.batch_plan import (
    EDITED,
    HAS_CAPTION,
    BatchOptions,
    Item,
    ItemState,
    Tally,
)
from core.batch_run import Answerer, Control, Hear, Run, Work
from core.errors import StoreError
from core.journal import SUFFIX, Journal, Record, records
from core.picture import find_pictures
from core.sidecar import DiskFull, Existing
from core.transcript import Answer, Ending, EngineFacts
from core.wording import filled, to_last_sentence, without_opening

_VERSION = 1
_TAIL_BYTES = 2**17


@dataclass(frozen=True)
class KeptRun:
    """A run as it is found again: where its journal is, and whether something is left of it."""

    journal: Path
    roots: tuple[Path, ...]
    options: BatchOptions
    began: datetime
    is_over: bool
    is_undone: bool


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
        self.exports = {kind: Path(path) for kind, path in exports.items()}
        self.items: list[Item] = []
        self.notes: list[str] = []
        self.is_undone = False
        self._journal = journal
        self._lock = threading.RLock()
        self._numbers: dict[str, int] = {}
        self._answers: dict[tuple[str, int], Record] = {}
        self._unwritten: dict[str, Record] = {}
        self._known: dict[str, tuple[str, str]] | None = None
        self._facts: EngineFacts | None = None
        self._are_exports_old = False

    @classmethod
    def begin(cls, roots: Iterable[Path], options: BatchOptions, journals: Path) -> Batch:
        """Find the pictures and begin a journal in the folder `journals`.

        `roots` are folders, files, and patterns with * or ?. Raises StoreError, ValueError.
        """
        options.checked()
        roots = [root.absolute() for root in roots]
        found = _found(roots, options)
        folder = _export_folder(roots)
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
                "journal": _VERSION,
                "version": _version(),
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
        header = _header(path)
        if header is None:
            raise StoreError("This run's journal is damaged. Begin the run anew.")
        roots = [Path(root) for root in header["roots"]]
        options = BatchOptions.from_record(header["options"])
        batch = cls(Journal(path), roots, options, header["exports"])
        found = _found(roots, options)
        states: dict[str, Item] = {}
        for record in records(path):
            batch._fold(record, states)
        missing = [Path(name) for name in states.keys() - {str(path) for path in found}]
        batch._plan([*found, *sorted(missing)], states)
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

    def close(self) -> None:
        """Bring the run's tables up to date and let go of the journal. Raises StoreError."""
        with self._lock:
            try:
                if self._are_exports_old and not self.is_undone:
                    self._renew_exports()
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
        with self._lock:
            self._journal.append({"kind": "run", "facts": asdict(engine.facts)})
            self._finish_writing(hear)
            self._renew_exports()
        waiting = deque(
            number for number, item in enumerate(self.items) if item.state is ItemState.WAITING
        )
        try:
            with ThreadPoolExecutor(1, "captions") as writer:
                run = Run(self, engine, control, hear, on_piece, writer)
                # Beams take no slots.
                run.go(waiting, slots if self.options.sampling.beams == 1 else 1)
        finally:
            with self._lock:
                for number, item in enumerate(self.items):
                    if item.state is ItemState.WORKING:
                        self._set(number, replace(item, state=ItemState.WAITING), hear)
        with self._lock:
            tally = self.tally
            if not tally.waiting:
                self._renew_exports()
                self._journal.append({"kind": "end", "done": tally.done, "failed": tally.failed})
        return tally

    def retry_failed(self, hear: Hear = _ignore) -> int:
        """Let every failed picture wait again; gives how many. `run` takes them up."""
        with self._lock:
            failed = [n for n, item in enumerate(self.items) if item.state is ItemState.FAILED]
            if failed:
                self._journal.append({"kind": "retry"})
            for number in failed:
                self._set(number, Item(self.items[number].path), hear)
            self._mark_shared_names(hear)
        return len(failed)

    def edit(self, number: int, caption: str, hear: Hear = _ignore) -> None:
        """Write a person's caption beside the picture at once. Raises StoreError."""
        with self._lock:
            path = self.items[number].path
            changes = [
                _Change.of(target, _with_caption(target, sidecar.read_bytes(target), caption))
                for target in self.options.targets(path)
            ]
            self._journal.append(
                {
                    "kind": "edit",
                    "picture": str(path),
                    "caption": caption,
                    "files": [change.record() for change in changes],
                }
            )
            for change in changes:
                sidecar.write_atomically(change.path, change.after)
            self._unwritten.pop(str(path), None)
            self._journal.append({"kind": "written", "picture": str(path)}, is_durable=False)
            self._set(number, Item(path, ItemState.DONE, caption, is_edited=True), hear)
            self._are_exports_old = bool(self.exports)

    def undo(self, hear: Hear = _ignore) -> list[Path]:
        """Give every file of the run back what it held before; gives those that were left
        because somebody has changed them since. Raises StoreError; called again it goes on."""
        with self._lock:
            self._journal.append({"kind": "undo"})
            written = [r for r in records(self._journal.path) if r["kind"] == "item"]
            left: dict[Path, None] = {}
            for record in reversed(written):
                for change in map(_Change.from_record, record["files"]):
                    sidecar.remove_part(change.path)
                    now = sidecar.fingerprint(sidecar.read_bytes(change.path))
                    if now == sidecar.fingerprint(change.after):
                        sidecar.restore(change.path, change.before)
                    elif now != sidecar.fingerprint(change.before):
                        left[change.path] = None
            self._remove_exports()
            self._journal.append({"kind": "undone", "left": [str(path) for path in left]})
            self._unwritten.clear()
            self._answers.clear()
            self.is_undone = True
            for number, item in enumerate(self.items):
                if item.state is not ItemState.SKIPPED:
                    self._set(number, _undone(item, left.keys(), self.options), hear)
        return list(left)

    # For `core.batch_run`

    def begin_item(self, number: int, hear: Hear) -> Work | None:
        """The work on a picture; None when its caption is to stay as it is."""
        with self._lock:
            item = self.items[number]
            try:
                targets = self._targets_to_write(item.path)
            except StoreError as error:
                self.fail(number, str(error), hear)
                return None
            if isinstance(targets, str):
                self._set(number, replace(item, state=ItemState.SKIPPED, reason=targets), hear)
                return None
            before = ""
            if any("{caption}" in prompt for prompt in self.options.prompts):
                before = self._existing_caption(item.path)
            prompts = [filled(p, item.path, number + 1, before) for p in self.options.prompts]
            work = Work(number, item.path, targets, prompts)
            for place in range(len(prompts)):
                if kept := self._answers.get((str(item.path), place)):
                    work.answers[place] = kept
            self._set(number, replace(item, state=ItemState.WORKING, caption="", reason=""), hear)
            return work

    def keep_answer(self, work: Work, place: int, answer: Answer) -> None:
        """An answer of several is in the journal as soon as it is said."""
        record = _answer_record(work.prompts[place], answer, self._caption_of(answer))
        work.answers[place] = record
        if len(work.prompts) > 1:
            key = {"kind": "answer", "picture": str(work.path), "place": place}
            with self._lock:
                self._journal.append({**key, "answer": record})
                self._answers[str(work.path), place] = record

    def keep_half(self, work: Work, place: int, answer: Answer, hear: Hear) -> None:
        half = {"kind": "stopped", "picture": str(work.path), "place": place}
        with self._lock:
            self._journal.append({**half, "text": answer.text}, is_durable=False)
            self._set(work.number, Item(work.path), hear)

    def wait_again(self, number: int, hear: Hear) -> None:
        with self._lock:
            self._set(number, Item(self.items[number].path), hear)

    def write(self, work: Work, hear: Hear) -> None:
        """Journal first, then the files; a folder that takes none is the row's reason."""
        with self._lock:
            answers = [work.answers[place] for place in range(len(work.prompts))]
            caption = "\n".join(answer["caption"] for answer in answers)
            try:
                changes = [
                    _Change.of(t, self._combined(t, caption, answers[0]["caption"]))
                    for t in work.targets
                ]
            except StoreError as error:
                self.fail(work.number, str(error), hear)
                return
            record = {
                "kind": "item",
                "picture": str(work.path),
                "caption": caption,
                "answers": answers,
                "model": self._model,
                "recipe": self.options.recipe(self._model),
                "files": [change.record() for change in changes],
            }
            self._journal.append(record)
            self._unwritten[str(work.path)] = record
            self._finish_item(record, hear)
            if self.items[work.number].state is ItemState.DONE:
                self._export(_rows(record, self._facts_record, self.options))

    def fail(self, number: int, reason: str, hear: Hear) -> None:
        with self._lock:
            path = self.items[number].path
            self._journal.append(
                {"kind": "failed", "picture": str(path), "reason": reason}, is_durable=False
            )
            self._unwritten.pop(str(path), None)
            self._set(number, Item(path, ItemState.FAILED, reason=reason), hear)

    # Inside

    @property
    def _model(self) -> str:
        assert self._facts is not None
        return self._facts.fingerprint or self._facts.model

    @property
    def _facts_record(self) -> Record:
        return {} if self._facts is None else asdict(self._facts)

    def _set(self, number: int, item: Item, hear: Hear) -> None:
        self.items[number] = item
        hear(number, item)

    def _plan(self, found: list[Path], states: dict[str, Item] | None = None) -> None:
        states = states or {}
        skips = self.options.existing is Existing.SKIP
        text_kinds, name = self.options.text_kinds, self.options.name
        is_quick = skips and bool(text_kinds) and set(self.options.writes).isdisjoint({"xmp"})
        for path in found:
            item = states.get(str(path))
            if item is None or (item.state is ItemState.SKIPPED):
                item = Item(path)
                if is_quick and all(_has_size(path, name, kind) for kind in text_kinds):
                    item = Item(path, ItemState.SKIPPED, reason=HAS_CAPTION)
            self.items.append(item)
        self._numbers = {str(item.path): n for n, item in enumerate(self.items)}
        self._mark_shared_names(_ignore)

    def _mark_shared_names(self, hear: Hear) -> None:
        """a.jpg and a.png would write into one file: only the first may."""
        if not self.options.text_kinds or "{name}" in self.options.name:
            return
        owners: dict[str, Path] = {}
        for number, item in enumerate(self.items):
            name = str(item.path)
            stem = os.path.normcase(name[: name.rfind(".")] if "." in item.path.name else name)
            owner = owners.setdefault(stem, item.path)
            if owner is not item.path and item.state is ItemState.WAITING:
                reason = (
                    f"“{item.path.name}” and “{owner.name}” would share a caption file. Name the "
                    "captions after the whole file name, {name}."
                )
                self._set(number, Item(item.path, ItemState.FAILED, reason=reason), hear)

    def _fold(self, record: Record, states: dict[str, Item]) -> None:
        """Take up what a journal's line tells."""
        name = record.get("picture", "")
        path = Path(name)
        match record["kind"]:
            case "answer":
                self._answers[name, record["place"]] = record["answer"]
            case "item":
                self._unwritten[name] = record
                states[name] = Item(path, ItemState.DONE, record["caption"])
            case "edit":
                self._unwritten[name] = record
                states[name] = Item(path, ItemState.DONE, record["caption"], is_edited=True)
            case "written":
                self._unwritten.pop(name, None)
            case "failed":
                self._unwritten.pop(name, None)
                states[name] = Item(path, ItemState.FAILED, reason=record["reason"])
            case "retry":
                failed = [n for n, item in states.items() if item.state is ItemState.FAILED]
                for name in failed:
                    states[name] = Item(Path(name))
            case "run":
                known = {one.name for one in fields(EngineFacts)}
                facts = {key: value for key, value in record["facts"].items() if key in known}
                self._facts = EngineFacts(**{**facts, "notes": ()})
            case "undo":
                self.is_undone = True
            case "undone":
                self._unwritten.clear()
                self._answers.clear()
                left = {Path(file) for file in record["left"]}
                for name, item in states.items():
                    states[name] = _undone(item, left, self.options)

    def _finish_writing(self, hear: Hear) -> None:
        """Write what the journal has and a killed process may not have written."""
        for record in list(self._unwritten.values()):
            self._finish_item(record, hear)

    def _finish_item(self, record: Record, hear: Hear) -> None:
        name = record["picture"]
        number = self._numbers[name]
        is_edited = record["kind"] == "edit"
        try:
            for change in map(_Change.from_record, record["files"]):
                now = sidecar.fingerprint(sidecar.read_bytes(change.path))
                if now == sidecar.fingerprint(change.before):
                    sidecar.write_atomically(change.path, change.after)
                else:
                    sidecar.remove_part(change.path)
                    is_edited |= now != sidecar.fingerprint(change.after)
        except DiskFull:
            raise
        except StoreError as error:
            self.fail(number, str(error), hear)
            return
        self._journal.append({"kind": "written", "picture": name}, is_durable=False)
        self._unwritten.pop(name, None)
        for place in range(len(self.options.prompts)):
            self._answers.pop((name, place), None)
        item = Item(Path(name), ItemState.DONE, record["caption"], is_edited=is_edited)
        self._set(number, item, hear)

    def _targets_to_write(self, picture: Path) -> list[Path] | str:
        """The files that are to get a new caption, or why none is."""
        targets = self.options.targets(picture)
        existing = self.options.existing
        if not targets or existing in (Existing.APPEND, Existing.PREPEND):
            return targets
        if existing is Existing.SKIP:
            return [t for t in targets if not _caption_in(t)] or HAS_CAPTION
        named = self.options.replaces_edited
        is_named = picture.name in named or str(picture) in named
        chosen, why = [], "Has no caption yet." if existing is Existing.STALE else HAS_CAPTION
        for target in targets:
            data = sidecar.read_bytes(target)
            written, recipe = self._made_by_us().get(str(target), ("", ""))
            is_ours = written == sidecar.fingerprint(data)
            if data is not None and written and not is_ours and not is_named:
                why = EDITED
            elif existing is Existing.REPLACE:
                chosen.append(target)
            elif data is not None and not written:
                why = "Not made by a run of Onlooker."
            elif data is not None and recipe == self.options.recipe(self._model):
                why = "Made in this way already."
            elif data is not None:
                chosen.append(target)
        return chosen or why

    def _made_by_us(self) -> dict[str, tuple[str, str]]:
        """For each file that a run has written: the fingerprint of it then, and its recipe."""
        if self._known is None:
            self._known = {}
            for kept in sorted(find_runs(self._journal.path.parent), key=lambda run: run.journal):
                if not kept.is_undone and _overlap(kept.roots, self.roots):
                    self._known |= _written_files(kept.journal)
        return self._known

    def _existing_caption(self, picture: Path) -> str:
        found = (_caption_in(target) for target in self.options.targets(picture))
        return next(filter(None, found), "")

    def _combined(self, target: Path, caption: str, alt_text: str) -> bytes:
        before = sidecar.read_bytes(target)
        existing = self.options.existing
        if target.suffix == ".xmp":
            description = sidecar.combined(xmp.description_of(before), caption, existing)
            alt_text = sidecar.combined(xmp.alt_text_of(before), alt_text, existing)
            return xmp.described(before, description=description, alt_text=alt_text)
        return sidecar.encoded(sidecar.combined(sidecar.decoded(before), caption, existing))

    def _caption_of(self, answer: Answer) -> str:
        text = answer.text.strip()
        if self.options.beginning and not text.startswith(self.options.beginning):
            text = f"{self.options.beginning} {text}"
        if self.options.strips_openings:
            text = without_opening(text)
        if self.options.ends_at_sentence and answer.ending is Ending.LENGTH:
            text = to_last_sentence(text)
        return text

    # The run's tables

    def _all_rows(self, has_edits: bool = True) -> Iterator[export.Row]:
        """A row for each caption in the journal, as it was last written."""
        facts: Record = {}
        rows: dict[str, list[export.Row]] = {}
        for record in records(self._journal.path):
            match record["kind"]:
                case "run":
                    facts = record["facts"]
                case "item":
                    rows[record["picture"]] = _rows(record, facts, self.options)
                case "failed":
                    rows.pop(record["picture"], None)
                case "edit" if has_edits and record["picture"] in rows:
                    first = rows[record["picture"]][0]
                    edited = {**first, "caption": record["caption"], "edited": True}
                    rows[record["picture"]] = [edited]
        for of_picture in rows.values():
            yield from of_picture

    def _renew_exports(self) -> None:
        for kind, path in self.exports.items():
            try:
                export.write(path, self._all_rows(), kind)
            except DiskFull:
                raise
            except StoreError as error:
                self.note(str(error))

    def _export(self, rows: list[export.Row]) -> None:
        for kind, path in self.exports.items():
            try:
                export.append(path, rows, kind)
            except DiskFull:
                raise
            except StoreError as error:
                self.note(str(error))

    def _remove_exports(self) -> None:
        for kind, path in self.exports.items():
            data = sidecar.read_bytes(path)
            ours = [export.encoded(self._all_rows(edits), kind) for edits in (True, False)]
            # A killed process may not have written all of it.
            if data is not None and any(whole.startswith(data) for whole in ours):
                sidecar.restore(path, None)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def find_runs(journals: Path) -> list[KeptRun]:
    """The runs whose journals lie in the folder, the newest first; damaged ones are left out."""
    runs = []
    for path in sorted(journals.glob(f"*{SUFFIX}"), reverse=True):
        header = _header(path)
        if header is None:
            continue
        last = _last_event(path)
        runs.append(
            KeptRun(
                path,
                tuple(Path(root) for root in header["roots"]),
                BatchOptions.from_record(header["options"]),
                datetime.fromisoformat(header["when"]),
                is_over=last in ("end", "undone"),
                is_undone=last in ("undo", "undone"),
            )
        )
    return runs


# ---- files and records -------------------------------------------------------------------------


@dataclass(frozen=True)
class _Change:
    """What a file beside a picture held before, None for no file, and what it is to hold."""

    path: Path
    before: bytes | None
    after: bytes

    @staticmethod
    def of(path: Path, after: bytes) -> _Change:
        return _Change(path, sidecar.read_bytes(path), after)

    def record(self) -> Record:
        before = None if self.before is None else _packed(self.before)
        return {"path": str(self.path), "before": before, "after": _packed(self.after)}

    @staticmethod
    def from_record(record: Record) -> _Change:
        before = record["before"]
        return _Change(
            Path(record["path"]),
            None if before is None else _unpacked(before),
            _unpacked(record["after"]),
        )


def _packed(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unpacked(text: str) -> bytes:
    return base64.b64decode(text)


def _caption_in(target: Path) -> str:
    data = sidecar.read_bytes(target)
    return xmp.description_of(data) if target.suffix == ".xmp" else sidecar.decoded(data)


def _with_caption(target: Path, before: bytes | None, caption: str) -> bytes:
    if target.suffix == ".xmp":
        return xmp.described(before, description=caption, alt_text=caption)
    return sidecar.encoded(caption)


def _has_size(picture: Path, pattern: str, kind: str) -> bool:
    """Whether its text file holds something; without making a Path, as there are 100,000."""
    folder, name = os.path.split(picture)
    stem = name[: name.rfind(".")] if "." in name[1:] else name
    caption = pattern.replace("{stem}", stem).replace("{name}", name)
    try:
        return os.stat(f"{folder}{os.sep}{caption}.{kind}").st_size > 0  # noqa: PTH116
    except OSError:
        return False


def _undone(item: Item, left: Iterable[Path], options: BatchOptions) -> Item:
    if item.state is ItemState.DONE and set(options.targets(item.path)) & set(left):
        return replace(item, reason=EDITED, is_edited=True)
    return Item(item.path, ItemState.UNDONE)


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


def _rows(record: Record, facts: Record, options: BatchOptions) -> list[export.Row]:
    sampling = asdict(options.sampling)
    del sampling["seed"]
    shared = {
        "picture": record["picture"],
        "model": facts.get("model", ""),
        "model_fingerprint": facts.get("fingerprint", ""),
        "sampling": sampling,
        "version": _version(),
    }
    said = ("prompt", "caption", "seed", "ending", "tokens", "seconds")
    return [
        {**shared, "edited": False, **{key: answer[key] for key in said}}
        for answer in record["answers"]
    ]


def _found(roots: Sequence[Path], options: BatchOptions) -> list[Path]:
    """The pictures; a pattern stands for what matches it now."""
    paths: list[Path] = []
    for root in roots:
        if not root.exists() and glob.has_magic(str(root)):
            paths += [Path(name) for name in sorted(glob.glob(str(root), recursive=True))]  # noqa: PTH207
        else:
            paths.append(root)
    return find_pictures(paths, options.is_recursive, trusts_suffix=True)


def _export_folder(roots: Sequence[Path]) -> Path:
    first = roots[0] if roots else Path.cwd()
    while not first.is_dir() and first != first.parent:
        first = first.parent
    return first


def _header(path: Path) -> Record | None:
    try:
        first = next(records(path), None)
    except StoreError:
        return None
    if first is None or first.get("kind") != "begin" or first.get("journal") != _VERSION:
        return None
    return first


def _last_event(path: Path) -> str:
    """The last thing that changed whether the run is over."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            kind = json.loads(line)["kind"]
        except (ValueError, KeyError, TypeError):
            continue
        if kind in ("end", "undo", "undone", "retry", "run", "item"):
            return kind
    return ""


def _written_files(journal: Path) -> dict[str, tuple[str, str]]:
    known = {}
    for record in records(journal):
        if record["kind"] == "item":
            for change in map(_Change.from_record, record["files"]):
                known[str(change.path)] = sidecar.fingerprint(change.after), record["recipe"]
    return known


def _overlap(one: Iterable[Path], other: Iterable[Path]) -> bool:
    return any(a == b or a in b.parents or b in a.parents for a in one for b in other)


def _version() -> str:
    try:
        return version("onlooker")
    except PackageNotFoundError:
        return ""
