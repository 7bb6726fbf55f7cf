"""Keeps what a folder run wrote about images of the open folder as what the model wrote."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from core.batch import ItemState, Phase
from gui.session.folder_run import FolderRun
from gui.session.workspace import FolderWorkspace

_AT_WORK = (Phase.RUNNING, Phase.ENDING)


class ModelAnswers(QObject):
    """Once the run has ended or is paused; captions that it had written before are left out, as a
    person may have changed them since."""

    def __init__(self, run: FolderRun, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._run, self._workspace = run, workspace
        self._phase = run.phase
        self._before: set[int] = set()
        run.phase_changed.connect(self._on_phase_changed)

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
        items = [self._run.items[number] for number in sorted(done - self._before)]
        if answers := {item.path: item.caption for item in items if not item.is_edited}:
            options = self._run.options
            is_again = options is not None and options.is_again
            self._workspace.note_answers(answers, self._run.journal if is_again else None)
