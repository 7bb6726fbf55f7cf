"""Keeps what a folder run wrote about images of the open folder as what the model wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.batch import Doubt, ItemState, KeptRun, Phase, captions_written
from core.workspace import recover_again
from gui.session.folder_run import FolderRun
from gui.session.workspace import FolderWorkspace

_AT_WORK = (Phase.RUNNING, Phase.ENDING)


class ModelAnswers(QObject):
    """Once the run has ended or is paused, with what servers said of doubt meanwhile; captions that
    it had written before are left out, as a person may have changed them since."""

    def __init__(
        self, run: FolderRun, workspace: FolderWorkspace, data: Path, parent: QObject | None = None
    ):
        """`data` is the folder of the program's own files."""
        super().__init__(parent)
        self._run, self._workspace, self._data = run, workspace, data
        self._phase = run.phase
        self._before: set[int] = set()
        self._doubts: dict[int, Doubt] = {}
        run.phase_changed.connect(self._on_phase_changed)
        run.doubt_search.found.connect(self._on_doubts_found)

    @Slot(object)
    def _on_doubts_found(self, doubts: list[Doubt]) -> None:
        if self._phase in _AT_WORK:
            self._doubts |= {one.number: one for one in doubts}

    async def recover(self) -> None:
        """Let what was captioned again before the program was killed be undone as an edit, too."""
        kept = await self._run.last()
        if kept is None or not kept.options.is_again or kept.is_undone:
            return
        if await asyncio.to_thread(_recover, self._data, kept):
            self._workspace.note_answers({}, {})

    @Slot(object)
    def _on_phase_changed(self, phase: Phase) -> None:
        was_at_work, is_at_work = self._phase in _AT_WORK, phase in _AT_WORK
        self._phase = phase
        if was_at_work == is_at_work:
            return
        done = {n for n, one in enumerate(self._run.items.copy()) if one.state is ItemState.DONE}
        if is_at_work:
            self._before = done
            return
        found, self._doubts = self._doubts, {}
        items = {number: self._run.items[number] for number in sorted(done - self._before)}
        items = {number: item for number, item in items.items() if not item.is_edited}
        doubts = {
            item.path: doubt.doubt
            for number, item in items.items()
            if (doubt := found.get(number)) is not None and doubt.caption == item.caption
        }
        if answers := {item.path: item.caption for item in items.values()}:
            options = self._run.options
            is_again = options is not None and options.is_again
            journal = self._run.journal if is_again else None
            self._workspace.note_answers(answers, doubts, journal)


def _recover(data: Path, kept: KeptRun) -> bool:
    return recover_again(data, kept.began.timestamp(), captions_written(kept.journal))
