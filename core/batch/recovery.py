"""What a run does first when it is opened again: finishes what the journal says is under way.

A process can be killed between any two operations on files. Whatever it had begun is in the
journal: captions, edits, undone edits, the undo of the run. Afterwards rows, caption files and
tables agree, and no half-written file of the run is left.
"""

from __future__ import annotations

from dataclasses import replace

from core.batch import edits, writing
from core.batch.items import ItemState, tally_of
from core.batch.ledger import Ledger, OnItem, ignore
from core.batch.run_events import Ended
from core.errors import StoreError
from core.files import DiskFull


def recover(ledger: Ledger) -> None:
    """Finishes what was under way when the process ended. What cannot be finished now gets a note,
    and is finished by the next opening, or by the next run."""
    replayed = ledger.replayed
    if replayed.is_at_rest and not replayed.unwritten:
        return
    with ledger.disk:
        try:
            ledger.tables.clear_partial_files()
            if undo := replayed.undo_under_way:
                edits.undo_run(ledger, ignore, keeps_edits=undo.keeps_edits)
            else:
                _finish(ledger)
        except StoreError as error:
            ledger.note(error.message)


def finish_writing(ledger: Ledger, on_item: OnItem) -> dict[str, StoreError]:
    """Writes the files that a killed process may have left unwritten.

    Returns why some could not be written, by the image's path. Raises DiskFull.
    """
    events = list(ledger.replayed.unwritten.values())
    for event in events:
        writing.clear_partial_files(event)
    return writing.write_all(ledger, events, on_item)


def mark_unfinished(ledger: Ledger, name: str, error: StoreError, on_item: OnItem) -> None:
    """Shows why an image's files cannot be written now. The journal does not say so: a disk that is
    not there today does not make the caption fail."""
    number = ledger.numbers[name]
    item = replace(ledger.items[number], state=ItemState.FAILED, reason=error.message, caption="")
    ledger.set_item(number, item, on_item)


def _finish(ledger: Ledger) -> None:
    replayed = ledger.replayed
    try:
        errors = finish_writing(ledger, ignore)
    except DiskFull as error:
        errors = dict.fromkeys(replayed.unwritten, error)
    for name, error in errors.items():
        mark_unfinished(ledger, name, error, ignore)
    if errors or replayed.is_undone:
        return
    ledger.tables.renew(keeps_empty=False)
    tally = tally_of(ledger.items)
    if replayed.is_running and not tally.waiting:
        ledger.append_to_run(Ended(tally.done, tally.failed))
