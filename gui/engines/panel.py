"""Shows the graphics card and the engines in full, with what can be done."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gui.engines import wording
from gui.engines.state import EnginesState, Stage
from gui.engines.wording import Button, EngineAction
from gui.widgets.job_progress import JobProgress
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.widgets.measures import bytes_text
from gui.widgets.removal_box import ask_to_remove
from gui.widgets.screen_fit import ScreenFit

_MOST_BUTTONS = 3


class EnginePanel(QWidget):
    """Shows a state; what is clicked is a signal, a removal once it is confirmed.

    `acted(EngineAction)`. `folder_chosen(str)`: get the pack from the wheels in this folder.
    """

    acted = Signal(object)
    folder_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._state = EnginesState()
        self._offered: list[Button] = []
        self.sentence_label = paragraph()
        self.sentence_label.setObjectName("engine_sentence")
        self.progress = JobProgress()
        self.error_frame = QFrame()
        self.error_frame.setProperty("class", "error_line")
        self.error_label = paragraph(style="error")
        self.error_label.setObjectName("engine_error")
        inside = QVBoxLayout(self.error_frame)
        inside.setContentsMargins(12, 6, 12, 6)
        inside.addWidget(self.error_label)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._fact_labels: list[tuple[QLabel, QLabel]] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.sentence_label)
        column.addWidget(self.progress)
        column.addWidget(self.error_frame)
        column.addLayout(self._build_buttons())
        column.addLayout(self._grid)
        column.addStretch(1)
        self.show_state(self._state)

    @Slot(object)
    def show_state(self, state: EnginesState) -> None:
        """Shows what is known and what can be done now."""
        self._state = state
        error = wording.error(state)
        self.error_label.setText(breakable(error))
        self.error_frame.setVisible(bool(error))
        # After a failed trial the sentence says the same.
        is_said = bool(error) and state.stage is Stage.FAILED
        self.sentence_label.setText(breakable(wording.sentence(state)))
        self.sentence_label.setVisible(not is_said)
        self.progress.show_progress(wording.progress(state))
        self._show_facts(wording.facts(state))
        self._show_buttons(wording.buttons(state))

    # Parts

    def _build_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.buttons: list[QPushButton] = []
        for number in range(_MOST_BUTTONS):
            button = QPushButton()
            button.setObjectName(f"engine_button_{number}")
            button.setAutoDefault(False)
            button.clicked.connect(self._on_clicked)
            button.hide()
            self.buttons.append(button)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _show_buttons(self, offered: list[Button]) -> None:
        if offered == self._offered:
            return
        had_focus = any(button.hasFocus() for button in self.buttons)
        self._offered = offered
        for number, button in enumerate(self.buttons):
            one = offered[number] if number < len(offered) else None
            button.setVisible(one is not None)
            button.setText(one.caption if one else "")
            is_main = number == 0 and one is not None and one.action in _MAIN
            _restyle(button, "primary" if is_main else "")
        if had_focus and offered and not any(button.hasFocus() for button in self.buttons):
            self.buttons[0].setFocus()

    def _show_facts(self, facts: list[tuple[str, str]]) -> None:
        while len(self._fact_labels) < len(facts):
            title, value = paragraph(style="fact", is_selectable=False), paragraph()
            title.setWordWrap(False)
            row = len(self._fact_labels)
            self._grid.addWidget(title, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value, row, 1)
            self._fact_labels.append((title, value))
        for number, (title, value) in enumerate(self._fact_labels):
            is_used = number < len(facts)
            title.setVisible(is_used)
            value.setVisible(is_used)
            if is_used:
                title.setText(facts[number][0])
                value.setText(breakable(facts[number][1]))
                value.setAccessibleName(f"{facts[number][0]}: {facts[number][1]}")

    # What is clicked

    @Slot()
    def _on_clicked(self) -> None:
        number = next(n for n, button in enumerate(self.buttons) if button is self.sender())
        match self._offered[number].action:
            case EngineAction.REMOVE:
                self._confirm_removal()
            case EngineAction.GET_FROM_FOLDER:
                self._ask_folder()
            case action:
                self.acted.emit(action)

    def _confirm_removal(self) -> None:
        pack = self._state.removable
        if pack is None:
            return
        effect = self.tr("Frees {size}.")
        if self._state.stage is Stage.IN_USE:
            effect = self.tr("Frees {size} after a restart. Models then run on the processor.")
        texts = (
            self.tr("Remove engine pack"),
            self.tr("Remove the engine pack “{name}”?").format(name=pack.name),
            effect.format(size=bytes_text(pack.size)),
        )
        ask_to_remove(self.window(), "remove_engine_dialog", texts, self._on_removal_confirmed)

    def _ask_folder(self) -> None:
        dialog = QFileDialog(self.window(), self.tr("Folder with the wheels"))
        dialog.setObjectName("wheels_dialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        ScreenFit(dialog)
        dialog.fileSelected.connect(self.folder_chosen)
        dialog.open()

    @Slot()
    def _on_removal_confirmed(self) -> None:
        self.acted.emit(EngineAction.REMOVE)


_MAIN = (EngineAction.GET, EngineAction.RESTART)


def _restyle(button: QPushButton, style: str) -> None:
    """Gives a button another class in the stylesheet."""
    if button.property("class") != style:
        button.setProperty("class", style)
        button.style().unpolish(button)
        button.style().polish(button)
