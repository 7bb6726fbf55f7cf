"""Unloads the model after a time without work; the next question loads it again."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from core.engine import Absent, ModelState, Ready
from core.settings import Settings
from gui.session.model_thread import ModelThread
from gui.widgets.counted import counted
from gui.widgets.notice import StandsWhile
from gui.window.main_window import MainWindow

_MS_PER_MINUTE = 60_000


class IdleUnload(QObject):
    """A timer beside the model. `Settings.rest_minutes` says how long it runs; 0 is never."""

    def __init__(
        self,
        window: MainWindow,
        model: ModelThread,
        settings: Settings,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._model, self._settings = window, model, settings
        self.timer = QTimer(self, singleShot=True)
        self.timer.timeout.connect(self._on_timeout)
        model.state_changed.connect(self._on_state_changed)
        model.job_ended.connect(self.restart_timer)
        window.destroyed.connect(self.timer.stop)  # No window is left to show the notice.

    @Slot()
    def restart_timer(self) -> None:
        """Count from now on, after work or when another time was chosen."""
        minutes = self._settings.rest_minutes
        if minutes and isinstance(self._model.state, Ready):
            self.timer.start(minutes * _MS_PER_MINUTE)
        else:
            self.timer.stop()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        """Connected after the window's state follows the model, which the notice is about."""
        self.restart_timer()
        if isinstance(state, Absent) and self._model.is_idle_unloaded:
            self._say_so()

    @Slot()
    def _on_timeout(self) -> None:
        if self._model.is_busy or self._model.is_used_exclusively:
            self.restart_timer()
            return
        self._model.unload_idle()

    def _say_so(self) -> None:
        minutes = self._settings.rest_minutes
        one = self.tr("Unloaded after 1 minute idle. The next question loads the model again.")
        many = self.tr(
            "Unloaded after {count} minutes idle. The next question loads the model again."
        )
        self._window.show_notice(
            counted(minutes, one, many),
            stands=StandsWhile.UNLOADED_WHEN_IDLE,
        )
