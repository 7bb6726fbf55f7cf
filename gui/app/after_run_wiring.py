"""Connects the end of a folder run with what the computer is to do then."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from core.batch import Phase
from gui.batch.after_run import AfterRun
from gui.batch.countdown_dialog import CountdownDialog
from gui.session.folder_run import FolderRun
from gui.session.power import Power
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow

_SECONDS = 60


class AfterRunWiring(QObject):
    """A run that has come to its end by itself puts the computer to sleep, or shuts it down, if
    that was chosen for it and nobody cancels it.

    `countdown_seconds` is how long one can.
    """

    def __init__(self, window: MainWindow, run: FolderRun, parent: QObject | None = None):
        super().__init__(parent)
        self._window, self._run = window, run
        self._box = window.batch_panel.form.more.after_box
        self.countdown_seconds = _SECONDS
        self._power = Power(self)
        self._possible: set[AfterRun] = set()
        self._has_asked = self._was_running = self._is_in_series = False
        self._next = AfterRun.NOTHING
        self._power.found.connect(self._on_found)
        self._power.failed.connect(self._on_failed)
        run.phase_changed.connect(self._on_phase_changed)

    @Slot(object)
    def _on_found(self, action: AfterRun) -> None:
        self._possible.add(action)
        self._window.batch_panel.form.more.show_after_run(self._possible)

    @Slot(object)
    def _on_phase_changed(self, phase: Phase) -> None:
        match phase:
            case Phase.CHOOSING:
                self._was_running = False
                if not self._is_in_series:
                    self._box.reset()
                if not self._has_asked:
                    self._has_asked = True
                    self._power.ask()
            case Phase.RUNNING:
                self._was_running, self._is_in_series = True, False
            case Phase.OVER if self._was_running:
                self._was_running = False
                options = self._run.options
                self._is_in_series = options is not None and bool(options.then)
                if self._is_in_series:
                    return  # Further runs follow.
                action = self._box.choice
                self._box.reset()
                if action is not AfterRun.NOTHING:
                    self._count_down(action)
            case Phase.PAUSED | Phase.UNDOING:
                self._was_running = False
            case _:
                pass

    def _count_down(self, action: AfterRun) -> None:
        self._next = action
        dialog = CountdownDialog(action, self.countdown_seconds, self._window)
        dialog.accepted.connect(self._on_time_over)
        open_without_waiting(dialog)

    @Slot()
    def _on_time_over(self) -> None:
        self._power.do(self._next)

    @Slot(str)
    def _on_failed(self, reason: str) -> None:
        text = self.tr("The computer could not be shut down. {reason}")
        if self._next is AfterRun.SLEEP:
            text = self.tr("The computer could not be put to sleep. {reason}")
        self._window.show_notice(text.format(reason=reason).strip())
