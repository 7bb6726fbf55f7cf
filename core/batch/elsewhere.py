"""Captions of a run that a person has changed in their files elsewhere: in the workspace, or in
another program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from core.batch.changes import WrittenFile
from core.batch.conflicts import other_text
from core.batch.events import ChangedElsewhere, changes_of
from core.batch.items import Item, ItemState
from core.batch.journal import read_events
from core.batch.ledger import Ledger, OnItem
from core.batch.targets import Target
from core.batch.written import files_written_by_runs
from core.captions.sidecar import fingerprint
from core.errors import StoreError
from core.files import exists

_AT_ONCE = 100


def take_over(
    ledger: Ledger,
    pictures: Collection[Path] | None,
    on_item: OnItem,
    is_stopped: Callable[[], bool],
) -> int:
    """See `Batch.take_over`."""
    numbers: Iterable[int] = range(len(ledger.items))
    if pictures is not None:
        named = map(str, pictures)
        numbers = [ledger.numbers[name] for name in named if name in ledger.numbers]
    places = _Places(ledger)
    # For nearly all images no more than a look at their files.
    done = (number for number in numbers if ledger.items[number].state is ItemState.DONE)
    suspected = [n for n in done if not is_stopped() and places.others(ledger.items[n])]
    if is_stopped() or not suspected:
        return 0
    places.read_journal(suspected)
    if pictures is None:
        places.read_runs()
    count = 0
    for first in range(0, len(suspected), _AT_ONCE):
        with ledger.disk:
            if is_stopped() or ledger.journal.is_closed or ledger.replayed.is_undone:
                break
            some = suspected[first : first + _AT_ONCE]
            count += _change(ledger, places, some, on_item, is_sure=pictures is not None)
    return count


def _change(
    ledger: Ledger, places: _Places, numbers: Sequence[int], on_item: OnItem, *, is_sure: bool
) -> int:
    """Changes the items of these images to what their files hold. With `is_sure` a person has just
    edited them."""
    found = {
        number: _change_of(ledger, places, ledger.items[number], is_sure) for number in numbers
    }
    events = {number: event for number, event in found.items() if event is not None}
    if events:
        # What a crash leaves out is found again.
        ledger.journal.append(*events.values(), is_durable=False)
        ledger.tables.mark_old()
    for number, event in events.items():
        ledger.set_item(number, ledger.replayed.change(ledger.items[number], event), on_item)
    return len(events)


def _change_of(
    ledger: Ledger, places: _Places, item: Item, is_sure: bool
) -> ChangedElsewhere | None:
    """Returns what to say of an item in the journal, None where its files hold its caption."""
    others = places.others(item)
    if not others:
        return None
    name = str(item.path)
    before = ledger.replayed.before_changes.get(name)
    if before and not places.others(before):
        return ChangedElsewhere(name, before.caption, before.is_edited)
    text = next((text for target, text in others if not places.is_by_a_run(target)), None)
    # Files may be gone with their folder, or because a person has moved them.
    is_kept = text is not None and (text or (is_sure and exists(item.path)))
    return ChangedElsewhere(name, text or "") if is_kept else None


class _Places:
    """The files and rows that hold a run's captions."""

    def __init__(self, ledger: Ledger):
        self._ledger = ledger
        self._by_run: dict[str, set[str]] | None = None
        self._by_runs: Mapping[str, WrittenFile] = {}

    def read_journal(self, numbers: Iterable[int]) -> None:
        """From now on, the places of these images are those alone that the run has written: others
        had a caption before. Raises StoreError."""
        ledger = self._ledger
        items = [ledger.items[number] for number in numbers]
        if all(len(ledger.targets.of(item.path)) == 1 for item in items):
            return
        by_run: dict[str, set[str]] = {str(item.path): set() for item in items}
        for event in read_events(ledger.journal.path):
            picture = getattr(event, "picture", "")
            if picture in by_run:
                by_run[picture].update(change.key for change in changes_of(event))
        self._by_run = by_run

    def read_runs(self) -> None:
        """Reads what runs have written last. Raises StoreError."""
        journals = self._ledger.journal.path.parent
        self._by_runs = files_written_by_runs(journals, self._ledger.roots)

    def is_by_a_run(self, target: Target) -> bool:
        """Returns whether a place holds what a run has written last, as far as that was read."""
        if (last := self._by_runs.get(target.key)) is None:
            return False
        try:
            data = target.content()
        except StoreError:
            return True
        return last.holding(data).fingerprint == fingerprint(data)

    def others(self, item: Item) -> list[tuple[Target, str]]:
        """Returns the places that do not hold the caption of an item, and what they hold. One that
        cannot be read is not known to be another."""
        name, options = str(item.path), self._ledger.options
        if item.state is not ItemState.DONE:
            return []
        found: list[tuple[Target, str]] = []
        with suppress(StoreError):
            for target in self._ledger.targets.of(item.path):
                if self._by_run is None or target.key in self._by_run[name]:
                    text = other_text(item, target, options)
                    found += [] if text is None else [(target, text)]
        return found
