"""The state of a run as its journal says it: replayed on resuming, and kept up to date after."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from core.batch.damage import Damaged
from core.batch.events import (
    Adopted,
    Answered,
    Captioned,
    ChangedElsewhere,
    DoubtFound,
    Edited,
    EditUndone,
    Event,
    Failed,
    Skipped,
    Unknown,
    Unused,
    Written,
)
from core.batch.items import EDITED, Item, ItemState
from core.batch.run_events import Begun, Closed, Ended, Ran, Retried, Started, UndoBegun, Undone
from core.batch.stored import StoredAnswer
from core.captions.naming import CaptionNames

CaptionEvent = Captioned | Edited | EditUndone
"""What is in the journal before caption files change."""


@dataclass
class ReplayedRun:
    """What the journal says so far; images are named by their path as text.

    `items` are the states while replaying; afterwards the ledger has them. `answers` are by image
    and prompt index, and not yet part of a caption. `unwritten` are events whose files may not have
    been written when the process ended, `edits` the edits that can be taken back, oldest first,
    `undone_edits` those that can be made again, in the order in which they were undone, and
    `doubts` the last one of each image. `notes` are those of images that were opened, which need
    not be opened again to be written. `before_changes` are the items of images whose files a person
    has changed elsewhere, as they were before that. `skipped` are the captions of skipped images,
    if there are tables.

    `seconds` is how long images were captioned, in all stretches. `is_undone` from the moment that
    an undo began, and `undo_under_way` until it has ended. `is_running` since captioning started
    and until no image waits, when it `has_ended`. `is_at_rest` if the process ended well, so that
    the tables hold what the journal says. `damaged` are the lines that cannot be read.
    """

    items: dict[str, Item] = field(default_factory=dict[str, Item])
    answers: dict[tuple[str, int], StoredAnswer] = field(
        default_factory=dict[tuple[str, int], StoredAnswer]
    )
    unwritten: dict[str, CaptionEvent] = field(default_factory=dict[str, CaptionEvent])
    edits: list[Edited] = field(default_factory=list[Edited])
    undone_edits: list[Edited] = field(default_factory=list[Edited])
    doubts: dict[str, DoubtFound] = field(default_factory=dict[str, DoubtFound])
    before_changes: dict[str, Item] = field(default_factory=dict[str, Item])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    damaged: list[Damaged] = field(default_factory=list[Damaged])
    seconds: float = 0.0
    is_undone: bool = False
    undo_under_way: UndoBegun | None = None
    is_running: bool = False
    has_ended: bool = False
    is_at_rest: bool = False
    _is_early: bool = False

    def add(self, event: Event | Unknown | Damaged, names: CaptionNames) -> None:
        """Applies the next event of the journal."""
        if isinstance(event, Damaged):
            self._add_damaged(event)
            return
        self._add_to_run(event, names)
        match event:
            case Written():
                self.unwritten.pop(event.picture, None)
                if event.is_changed and event.picture in self.items:
                    item = self.items[event.picture]
                    self.items[event.picture] = replace(item, is_edited=True)
            case Captioned() | Edited() | EditUndone():
                self.unwritten[event.picture] = event
                item = self.items[event.picture] = item_after(event)
                self.set_notes(event.picture, item.notes)
                self.note_edit(event)
            case Adopted() | ChangedElsewhere():
                item = self.items.get(event.picture, Item(Path(event.picture)))
                is_adopted = isinstance(event, Adopted)
                item = self.adopt(item, event) if is_adopted else self.change(item, event)
                self.items[event.picture] = item
            case Skipped():
                self.skipped[event.picture] = event.caption
            case DoubtFound():
                self.doubts[event.picture] = event
            case Answered():
                self.answers[event.picture, event.prompt_index] = event.answer
                self.set_notes(event.picture, event.notes)
            case Failed():
                self._add_failure(event)
            case Unused() if isinstance(self.unwritten.get(event.picture), Captioned):
                del self.unwritten[event.picture], self.items[event.picture]
            case _:
                pass

    def set_notes(self, picture: str, notes: tuple[str, ...]) -> None:
        """Keeps the notes of an opened image; most have none."""
        if notes:
            self.notes[picture] = notes
        else:
            self.notes.pop(picture, None)

    def note_edit(self, event: CaptionEvent) -> None:
        """Adds an edit to those that can be undone, or moves one that was to those that can be
        redone. A new edit leaves nothing to redo."""
        self.before_changes.pop(event.picture, None)
        match event:
            case Edited():
                if event.is_redone:
                    _remove(self.undone_edits, event)
                else:
                    self.undone_edits.clear()
                self.edits.append(event)
            case EditUndone():
                edit = _remove(self.edits, event)
                if edit and event.can_be_redone:
                    self.undone_edits.append(edit)
            case _:
                pass

    def change(self, item: Item, event: ChangedElsewhere) -> Item:
        """Returns the item with the caption that its files hold now. What was edited in the run can
        still be undone; a person is asked then."""
        if item.state is not ItemState.DONE:
            return item
        self.before_changes.setdefault(event.picture, item)
        return replace(item, caption=event.caption, is_edited=event.is_edited)

    def adopt(self, item: Item, event: Adopted) -> Item:
        """Returns the item with the caption that is kept. An edit that it replaced cannot be undone
        any more, nor redone."""
        self.before_changes.pop(event.picture, None)
        for edits in (self.edits, self.undone_edits):
            edits[:] = [edit for edit in edits if edit.picture != event.picture]
        return replace(item, state=ItemState.DONE, caption=event.caption, reason="", is_edited=True)

    def _add_damaged(self, event: Damaged) -> None:
        self.is_at_rest = False
        self.damaged.append(event)
        if event.picture and not event.is_harmless:
            self.unwritten.pop(event.picture, None)
            self.items[event.picture] = event.item

    def _add_to_run(self, event: Event | Unknown, names: CaptionNames) -> None:
        """Applies what an event says of the run as a whole."""
        # Version 0.1 did not say that it had closed a journal; it did so after these.
        ends = Closed | Undone | Ended if self._is_early else Closed | Undone
        self.is_at_rest = isinstance(event, ends)
        match event:
            case Begun():
                self._is_early = event.number is None
            case Started() | Ended():
                self.is_running = isinstance(event, Started)
                self.has_ended = isinstance(event, Ended)
            case Ran():
                self.seconds += event.seconds
            case Retried():
                self.has_ended = False
                failed = [n for n, item in self.items.items() if item.state is ItemState.FAILED]
                self.items.update((name, Item(Path(name))) for name in failed)
            case UndoBegun():
                self.is_undone = True
                self.undo_under_way = event
            case Undone():
                self.undo_under_way = None
                self._add_undone(event, names)
            case _:
                pass

    def _add_failure(self, event: Failed) -> None:
        unwritten = self.unwritten.pop(event.picture, None)
        if isinstance(unwritten, Captioned):
            # The files could not be written; on the next try the model need not be asked again.
            for index, answer in enumerate(unwritten.answers):
                self.answers[event.picture, index] = answer
        path = Path(event.picture)
        self.items[event.picture] = Item(path, ItemState.FAILED, reason=event.reason)

    def _add_undone(self, event: Undone, names: CaptionNames) -> None:
        self.unwritten.clear()
        self.answers.clear()
        self.edits.clear()
        self.undone_edits.clear()
        left = set(event.left)
        for name, item in self.items.items():
            if event.pictures is None:
                is_left = not left.isdisjoint(names.targets(item.path))
            else:
                is_left = name in event.pictures
            self.items[name] = item_after_undo(item, is_left=is_left)


def _remove(edits: list[Edited], event: Edited | EditUndone) -> Edited | None:
    """Removes the last of these edits that the event is about. Whole groups are undone and redone
    from their end, so it is one of the last: 10,000 take no longer than one each."""
    for index in range(len(edits) - 1, -1, -1):
        if (edits[index].group, edits[index].picture) == (event.group, event.picture):
            return edits.pop(index)
    return None


def item_after(event: CaptionEvent) -> Item:
    """Returns the item once the event's files are written."""
    if isinstance(event, EditUndone):
        return event.after
    is_edited = isinstance(event, Edited) and event.is_by_hand
    if isinstance(event, Captioned):
        notes = event.notes or ()
    else:  # The caption is another after an edit; what was seen of the image is not.
        notes = event.before.notes if event.before else ()
    path = Path(event.picture)
    return Item(path, ItemState.DONE, event.caption, is_edited=is_edited, notes=notes)


def item_after_undo(item: Item, *, is_left: bool) -> Item:
    """Returns the item after its run was undone; `is_left` if a file of its was left as it is."""
    if item.state is ItemState.DONE and is_left:
        return replace(item, reason=EDITED, is_edited=True)
    if item.state is ItemState.FAILED and is_left:
        return item  # What became of it is unknown.
    return Item(item.path, ItemState.UNDONE)
