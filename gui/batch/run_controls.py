"""The buttons that start, end and undo a folder run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QToolButton, QWidget

from core.batch import ItemState, Phase
from gui.conversation.presets_menu import PresetsButton
from gui.widgets.buttons import key_button, set_text_beside_icon
from gui.widgets.theme import Theme

translate = QCoreApplication.translate


class RunAction(Enum):
    """What can be done with a run, in the order of the buttons."""

    START = auto()
    TRY_FIRST = auto()
    RESUME = auto()
    PAUSE = auto()
    STOP_NOW = auto()
    STOP_AFTER_THIS = auto()
    RETRY_FAILED = auto()
    UNDO = auto()
    NEW_RUN = auto()


@dataclass(frozen=True)
class _Look:
    text: str
    name: str
    key: str
    tip: str = ""


def _look(action: RunAction) -> _Look:
    match action:
        case RunAction.START:
            return _Look(translate("RunControls", "Start"), "batch_start_button", "Ctrl+Return")
        case RunAction.TRY_FIRST:
            tip = translate("RunControls", "Compare two prompts on a few images")
            text = translate("RunControls", "Try first…")
            return _Look(text, "try_first_button", "Ctrl+T", tip)
        case RunAction.RESUME:
            return _Look(translate("RunControls", "Resume"), "resume_button", "Ctrl+Return")
        case RunAction.PAUSE:
            tip = translate("RunControls", "Pause when the current captions are written")
            return _Look(translate("RunControls", "Pause"), "pause_button", "Ctrl+P", tip)
        case RunAction.STOP_NOW:
            tip = translate("RunControls", "Stop without finishing the current captions")
            return _Look(translate("RunControls", "Stop now"), "stop_run_button", "Esc", tip)
        case RunAction.STOP_AFTER_THIS:
            text = translate("RunControls", "Stop after the current image")
            return _Look(text, "end_run_button", "Ctrl+Shift+P")
        case RunAction.RETRY_FAILED:
            return _Look(translate("RunControls", "Retry failed"), "retry_button", "Ctrl+Shift+R")
        case RunAction.UNDO:
            return _Look(translate("RunControls", "Undo run…"), "undo_button", "Ctrl+Shift+U")
        case RunAction.NEW_RUN:
            tip = translate("RunControls", "Start over with the same images")
            text = translate("RunControls", "New run")
            return _Look(text, "new_run_button", "Ctrl+Shift+N", tip)


def has_begun(phase: Phase) -> bool:
    """Whether there is a run, rather than options for one."""
    return phase not in (Phase.CHOOSING, Phase.FINDING)


def is_at_rest(phase: Phase) -> bool:
    """Whether a run has begun, nothing is under way, and the run can still go on or be undone."""
    return phase in (Phase.PAUSED, Phase.OVER)


def offered_actions(phase: Phase, counts: Mapping[ItemState, int]) -> set[RunAction]:
    """Returns the actions whose buttons are visible in this phase."""
    if not has_begun(phase):
        return {RunAction.START, RunAction.TRY_FIRST}
    offered = {
        Phase.RUNNING: {RunAction.PAUSE, RunAction.STOP_NOW, RunAction.STOP_AFTER_THIS},
        Phase.ENDING: {RunAction.STOP_NOW},
        Phase.PAUSED: {RunAction.RESUME, RunAction.NEW_RUN},
        Phase.OVER: {RunAction.NEW_RUN},
        Phase.UNDONE: {RunAction.NEW_RUN},
    }.get(phase, set())
    if is_at_rest(phase) and counts.get(ItemState.FAILED):
        offered = offered | {RunAction.RETRY_FAILED}
    if is_at_rest(phase) and counts.get(ItemState.DONE):
        offered = offered | {RunAction.UNDO}
    return offered


class RunControls(QWidget):
    """A row of buttons, of which those that make sense now are visible.

    `asked(RunAction)`: a button was clicked. `unfolded(bool)`: more options are to be shown.
    """

    asked = Signal(object)
    unfolded = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.buttons = {action: self._button(action) for action in RunAction}
        for action in (RunAction.START, RunAction.RESUME):
            self.buttons[action].setDefault(True)
        self.presets_button = PresetsButton(theme)
        self.more_button = QToolButton()
        self.more_button.setObjectName("more_button")
        set_text_beside_icon(self.more_button, self.tr("More options"))
        self.more_button.setCheckable(True)
        theme.set_icon(self.more_button, "down", "text_quiet")
        self.more_button.toggled.connect(self.unfolded)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for button in self.buttons.values():
            row.addWidget(button)
            # Otherwise the minimum width would have to hold all buttons at once.
            button.hide()
        row.addStretch(1)
        row.addWidget(self.presets_button)
        row.addWidget(self.more_button)

    @property
    def is_unfolded(self) -> bool:
        """Whether more options are to be shown."""
        return self.more_button.isChecked()

    def show_phase(self, phase: Phase, counts: Mapping[ItemState, int], can_start: bool) -> None:
        """Shows the buttons of this phase; `counts` are the items in each state."""
        offered = offered_actions(phase, counts)
        for action, button in self.buttons.items():
            button.setVisible(action in offered)
        self.more_button.setVisible(not has_begun(phase))
        self.presets_button.setVisible(not has_begun(phase))
        for action in (RunAction.START, RunAction.TRY_FIRST):
            self.buttons[action].setEnabled(can_start)
        # It stays in its place: a second click must not hit what would stand there instead.
        pause = self.buttons[RunAction.PAUSE]
        pause.setVisible(phase in (Phase.RUNNING, Phase.ENDING))
        pause.setEnabled(phase is Phase.RUNNING)
        self.buttons[RunAction.RETRY_FAILED].setDefault(phase is Phase.OVER)

    def _button(self, action: RunAction) -> QPushButton:
        look = _look(action)
        button = key_button(look.text, look.name, look.key, tip=look.tip)
        button.clicked.connect(partial(self._on_clicked, action))
        return button

    def _on_clicked(self, action: RunAction, checked: bool = False) -> None:
        self.asked.emit(action)
