"""Edits that go on in folders that were left: how far they are, and what became of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from core.errors import AppError
from core.workspace import EditProgress, EditReport, OngoingEdit, PatternError
from gui.session.worker_thread import unforeseen

_REPORT_SECONDS = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeftEdit:
    """An edit in a folder that was left; `roots` are the files and folders that were open. It has a
    `report`, or an `error`, once it has ended."""

    roots: tuple[Path, ...]
    report: EditReport | None = None
    error: AppError | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it is left to do."""
        report = self.report
        has_failed = report is not None and (report.failures or report.conflicts or report.left)
        return self.error is None and not has_failed


class LeftEdits(QObject):
    """Used in the GUI thread. `progressed()`: `roots` or `progress` are others. `ended(LeftEdit)`:
    what became of an edit; of those in one go only if it is not whole."""

    progressed = Signal()
    ended = Signal(object)
    _went_on = Signal(object, object)
    _came = Signal(object, object)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._under_way: dict[OngoingEdit, tuple[Path, ...]] = {}
        self.progress: EditProgress | None = None
        self._went_on.connect(self._on_went_on)
        self._came.connect(self._on_came)

    @property
    def roots(self) -> tuple[Path, ...]:
        """Where the edit is that is made now; empty for none."""
        return next(iter(self._under_way.values()), ())

    def finishing(self, roots: tuple[Path, ...], ongoing: OngoingEdit) -> Callable[[], None]:
        """Return what makes all that is left of an edit, in the thread that began it."""
        self._under_way[ongoing] = roots
        self.progressed.emit()
        return partial(self._finish, roots, ongoing)

    @Slot()
    def stop(self) -> None:
        """Leave what the edits have not come to as it is."""
        for ongoing in self._under_way:
            ongoing.stop()

    def take(self, edit: LeftEdit) -> None:
        """Report an edit that was made in one go, unless all is as it should be."""
        if not edit.is_whole:
            self.ended.emit(edit)

    def _finish(self, roots: tuple[Path, ...], ongoing: OngoingEdit) -> None:
        reported = 0.0
        while not ongoing.is_done:
            part_of(ongoing)
            if (now := time.monotonic()) - reported > _REPORT_SECONDS:
                reported = now
                self._went_on.emit(ongoing, ongoing.progress)
        # The part that failed may have been made before the folder was left.
        error = None if ongoing.failure is None else _error_from(ongoing.failure)
        self._came.emit(ongoing, LeftEdit(roots, ongoing.report, error))

    @Slot(object, object)
    def _on_went_on(self, ongoing: OngoingEdit, progress: EditProgress | None) -> None:
        if ongoing is next(iter(self._under_way), None):
            self.progress = progress
            self.progressed.emit()

    @Slot(object, object)
    def _on_came(self, ongoing: OngoingEdit, edit: LeftEdit) -> None:
        del self._under_way[ongoing]
        self.progress = None
        self.progressed.emit()
        if edit.report is not None or edit.error is not None:
            self.ended.emit(edit)


def part_of(ongoing: OngoingEdit) -> AppError | None:
    """Makes some more of an edit; returns why that failed."""
    _, error = outcome_of(ongoing.go_on)
    return error


def outcome_of(
    work: Callable[[], EditReport | None],
) -> tuple[EditReport | None, AppError | None]:
    """Returns what became of an edit, or why it failed."""
    try:
        return work(), None
    except Exception as error:
        return None, _error_from(error)


def _error_from(error: BaseException) -> AppError:
    match error:
        case PatternError():
            return AppError(error.message)
        case AppError():
            return error
        case _:
            log.error("An edit failed", exc_info=error)
            return unforeseen()
