"""Looks after the loaded model: lets it rest when idle, and says what helps where it is too big."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Slot

from core.engine import Failed, ModelState, Ready
from core.errors import CheckpointError, OutOfMemory
from core.transcript import ModelChoice
from gui.session.model_thread import ModelThread
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind
from gui.window.main_window import MainWindow

_MS_PER_MINUTE = 60_000
_SHOW_MODELS = NoticeAction(NoticeActionKind.SHOW_MODELS, "Show models to get")


class IdleUnload(QObject):
    """Lives beside the window, which shows its notices and tells when their buttons are pressed."""

    def __init__(
        self,
        window: MainWindow,
        model: ModelThread,
        begin: Callable[[Coroutine], None],
        load: Callable[[ModelChoice], Coroutine],
        rest_minutes: Callable[[], int],
        parent: QObject | None = None,
    ):
        """`rest_minutes` gives after how many minutes without work a model rests; 0 is never."""
        super().__init__(parent)
        self._window, self._model = window, model
        self._begin, self._load = begin, load
        self._rest_minutes = rest_minutes
        self._offered: ModelChoice | None = None
        self.idle = QTimer(self, singleShot=True)
        self.idle.timeout.connect(self._on_idle)
        model.state_changed.connect(self._on_state_changed)
        model.worked.connect(self.restart_timer)
        window.notice_action_chosen.connect(self._on_action_chosen)
        window.destroyed.connect(self.idle.stop)  # There is nobody left to tell.

    @Slot()
    def restart_timer(self) -> None:
        """The time without work begins now; also when another time was chosen."""
        minutes = self._rest_minutes()
        if minutes and isinstance(self._model.state, Ready):
            self.idle.start(minutes * _MS_PER_MINUTE)
        else:
            self.idle.stop()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        self.restart_timer()
        match state:
            case Failed(OutOfMemory(precision=str() as precision) as error):
                words = f"Load it in {precision.replace('-', ' ')}s"
                self._offered = replace(self._model.choice, dtype=precision)
                action = NoticeAction(NoticeActionKind.LOAD_IN_LOWER_PRECISION, words)
                self._window.show_notice(str(error), action)
            case Failed(CheckpointError(missing_id=str() as hub_id) as error) if hub_id:
                self._window.show_notice(str(error), _SHOW_MODELS)

    @Slot(object)
    def _on_action_chosen(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.SHOW_MODELS:
            self._window.models_asked.emit()
        elif kind is NoticeActionKind.LOAD_IN_LOWER_PRECISION and self._offered:
            choice, self._offered = self._offered, None
            self._begin(self._load(choice))

    @Slot()
    def _on_idle(self) -> None:
        if self._model.is_busy or self._model.is_lent:
            self.restart_timer()
            return
        minutes = self._rest_minutes()
        self._model.rest()
        self._window.show_notice(
            f"The model was let go of after {minutes} minute{'s' if minutes > 1 else ''} without "
            "a question. It loads again with the next one."
        )
