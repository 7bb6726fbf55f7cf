"""Reads a folder run and its panel into the window's state."""

from __future__ import annotations

from pathlib import Path

from core.batch import ItemState, Phase, Progress
from gui.batch.head import name_of, places_text
from gui.batch.panel import BatchPanel
from gui.batch.run_controls import RunAction, has_begun, is_at_rest, offered_actions
from gui.batch.run_progress import items_left
from gui.session.folder_run import FolderRun
from gui.window.view_state import RowState, RunState


def run_state(
    run: FolderRun,
    panel: BatchPanel,
    *,
    journal: Path | None,
    is_known: bool,
    steps: int,
    edits: int,
) -> RunState:
    """Returns the run's part of the state; for the others see `RunState`."""
    phase, counts = run.phase, run.items.counts
    offered = offered_actions(phase, counts)
    if phase is not Phase.CHOOSING or not counts:
        offered -= {RunAction.START, RunAction.TRY_FIRST}
    can_edit = has_begun(phase) and phase not in (Phase.UNDOING, Phase.UNDONE)
    return RunState(
        phase=phase,
        name=name_of(run.roots) or (places_text(run.roots) if run.roots else ""),
        roots=tuple(run.roots),
        fraction=_fraction(phase, counts),
        done=sum(counts.values()) - items_left(Progress(counts)),
        total=sum(counts.values()),
        rate=round(run.pace.rate, 2),
        turn=run.options.turn if run.options else 1,
        turns=run.options.turn + len(run.options.then) if run.options else 1,
        is_open=run.has_run,
        is_known=is_known,
        journal=journal,
        offered=frozenset(offered),
        can_edit=can_edit,
        can_find_doubt=is_at_rest(phase) and bool(counts.get(ItemState.DONE)),
        is_finding_doubt=run.doubt_search.is_running,
        can_undo_edit=can_edit and run.edits.can_undo,
        can_redo_edit=can_edit and run.edits.can_redo,
        steps=steps,
        edits=edits,
        is_trying=panel.is_trying,
        row=_row(run, panel),
        is_captioning_again=run.again.is_running,
        shows_doubt=panel.list.shows_doubt,
        is_sorted_by_doubt=panel.list.is_sorted_by_doubt,
    )


def _row(run: FolderRun, panel: BatchPanel) -> RowState | None:
    """Returns what can be done with the current row; None if there is none in view."""
    shown, number = panel.list, panel.list.current_number
    if not panel.shows_rows or not 0 <= number < len(run.items):
        return None
    item = run.items[number]
    is_busy = item.state is ItemState.WORKING or run.again.number == number
    return RowState(number, bool(item.caption), shown.can_edit_current, is_busy)


def _fraction(phase: Phase, counts: dict[ItemState, int]) -> float | None:
    """Returns the share of a run that is done; None if none is under way or paused."""
    if phase not in (Phase.RUNNING, Phase.ENDING, Phase.PAUSED):
        return None
    total = sum(counts.values())
    return (total - items_left(Progress(counts))) / total if total else None
