"""What the journals tell: which runs there were, what became of each, what they have written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from core.batch import sidecar
from core.batch.files import Change
from core.batch.journal import SUFFIX, Record, records
from core.batch.options import EDITED, BatchOptions, Item, ItemState
from core.engine import EngineFacts
from core.errors import StoreError

VERSION = 1
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


def find_runs(journals: Path) -> list[KeptRun]:
    """The runs whose journals lie in the folder, the newest first; damaged ones are left out."""
    runs = []
    for path in sorted(journals.glob(f"*{SUFFIX}"), reverse=True):
        header = header_of(path)
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


def header_of(journal: Path) -> Record | None:
    """The first line of a run's journal; None when it is none that we know."""
    try:
        first = next(records(journal), None)
    except StoreError:
        return None
    if first is None or first.get("kind") != "begin" or first.get("journal") != VERSION:
        return None
    return first


def made_by_runs(journals: Path, roots: Iterable[Path]) -> dict[str, tuple[str, str]]:
    """For each file that a run over these places has written: its fingerprint then, its recipe.

    A file that was edited in the window has a fingerprint that no file has. Raises StoreError.
    """
    made: dict[str, tuple[str, str]] = {}
    for kept in reversed(find_runs(journals)):
        if not kept.is_undone and _overlap(kept.roots, roots):
            _add_written(made, kept.journal)
    return made


def _add_written(made: dict[str, tuple[str, str]], journal: Path) -> None:
    by_run: dict[str, tuple[str, str]] = {}
    for record in records(journal):
        for change in map(Change.from_record, record.get("files", ())):
            name = str(change.path)
            match record["kind"]:
                case "item":
                    by_run[name] = sidecar.fingerprint(change.after), record["recipe"]
                    made[name] = by_run[name]
                case "edit":
                    made[name] = "by hand", ""
                case "unedit" if name in by_run:
                    made[name] = by_run[name]
                case "unedit":
                    made.pop(name, None)


@dataclass
class Past:
    """One run as far as its journal tells it.

    `items` are by the picture's path as text, `answers` by that and the place of their prompt.
    `unwritten` are the lines whose files may not have been written when the process ended,
    `edits` those of hand edits that were not taken back, and `doubts` the last of each picture
    that name a doubtful word.
    """

    items: dict[str, Item] = field(default_factory=dict)
    answers: dict[tuple[str, int], Record] = field(default_factory=dict)
    unwritten: dict[str, Record] = field(default_factory=dict)
    edits: list[Record] = field(default_factory=list)
    doubts: dict[str, Record] = field(default_factory=dict)
    facts: EngineFacts | None = None
    is_undone: bool = False

    def add(self, record: Record, options: BatchOptions) -> None:
        """Take up one more line."""
        name = record.get("picture", "")
        match record["kind"]:
            case "answer":
                self.answers[name, record["place"]] = record["answer"]
            case "item" | "edit" | "unedit":
                self.unwritten[name] = record
                self.items[name] = item_after(record)
                self.note_edit(record)
            case "doubt":
                self.doubts[name] = record
            case "written":
                self.unwritten.pop(name, None)
            case "failed":
                if said := self.unwritten.pop(name, {}).get("answers"):
                    # It could not be written; tried again, it need not be asked again.
                    self.answers.update({(name, place): one for place, one in enumerate(said)})
                self.items[name] = Item(Path(name), ItemState.FAILED, reason=record["reason"])
            case "retry":
                failed = [n for n, item in self.items.items() if item.state is ItemState.FAILED]
                for name in failed:
                    self.items[name] = Item(Path(name))
            case "run":
                self.facts = replace(EngineFacts.from_record(record["facts"]), notes=())
            case "undo":
                self.is_undone = True
            case "undone":
                self.unwritten.clear()
                self.answers.clear()
                self.edits.clear()
                left = {Path(file) for file in record["left"]}
                for name, item in self.items.items():
                    self.items[name] = undone(item, left, options)

    def note_edit(self, record: Record) -> None:
        """Take up a hand edit, or that it was taken back."""
        if record["kind"] == "edit":
            self.edits.append(record)
        elif record["kind"] == "unedit":
            taken = record["group"], record["picture"]
            self.edits = [e for e in self.edits if (e.get("group"), e["picture"]) != taken]


def item_after(record: Record) -> Item:
    """The row of a picture once the files of the line are written."""
    path = Path(record["picture"])
    if record["kind"] == "unedit":
        return item_from(path, record["was"])
    is_edited = record["kind"] == "edit"
    return Item(path, ItemState.DONE, record["caption"], is_edited=is_edited)


def item_record(item: Item) -> Record:
    """A row as the journal keeps it."""
    return {
        "state": item.state.value,
        "caption": item.caption,
        "reason": item.reason,
        "is_edited": item.is_edited,
    }


def item_from(path: Path, record: Record) -> Item:
    return Item(path, **{**record, "state": ItemState(record["state"])})


def undone(item: Item, left: Iterable[Path], options: BatchOptions) -> Item:
    """The row after the run was undone but for the files `left`."""
    if item.state is ItemState.DONE and set(options.targets(item.path)) & set(left):
        return Item(item.path, ItemState.DONE, item.caption, EDITED, is_edited=True)
    return Item(item.path, ItemState.UNDONE)


def _last_event(path: Path) -> str:
    """The last thing that changed whether the run is over."""
    for line in _lines_from_the_end(path):
        try:
            kind = json.loads(line)["kind"]
        except (ValueError, KeyError, TypeError):
            continue
        if kind in ("end", "undo", "undone", "retry", "run", "item"):
            return kind
    return ""


def _lines_from_the_end(path: Path) -> Iterator[bytes]:
    """A whole journal is read only where nothing but edits and doubts stands at its end."""
    with path.open("rb") as file:
        left, torn = file.seek(0, os.SEEK_END), b""
        while left:
            begin = max(0, left - _TAIL_BYTES)
            file.seek(begin)
            torn, *lines = (file.read(left - begin) + torn).split(b"\n")
            yield from reversed(lines)
            left = begin
        yield torn


def _overlap(one: Iterable[Path], other: Iterable[Path]) -> bool:
    places = list(other)
    return any(a == b or a in b.parents or b in a.parents for a in one for b in places)
