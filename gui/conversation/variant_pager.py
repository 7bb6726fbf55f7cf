"""Pages through the answers to a question, or the questions asked in one place: ‹ 2/3 ›."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from gui.widgets.buttons import icon_button
from gui.widgets.theme import Theme


class VariantPager(QWidget):
    """Hidden while there is only one. `stepped(int)`: show the next one, 1, or the one before, -1.

    `back` and `on` name the buttons; `position` says which one is shown, with {number} and {count}.
    """

    stepped = Signal(int)

    def __init__(self, theme: Theme, back: str, on: str, position: str):
        super().__init__()
        self._position = position
        self.back_button = icon_button(theme, "left", back)
        self.on_button = icon_button(theme, "right", on)
        self.label = QLabel()
        self.label.setProperty("class", "foot")
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.back_button.clicked.connect(partial(self._step, -1))
        self.on_button.clicked.connect(partial(self._step, 1))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(0)
        row.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.label, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.on_button, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @property
    def buttons(self) -> tuple[QToolButton, QToolButton]:
        """The buttons, in the order in which Tab goes through them."""
        return self.back_button, self.on_button

    def show_position(self, number: int, count: int, *, is_idle: bool) -> None:
        """Shows which of how many is shown, from 1; only while idle others can be gone to."""
        self.label.setText(f"{number}/{count}")
        self.label.setAccessibleName(self._position.format(number=number, count=count))
        self.label.setToolTip(self.label.accessibleName())
        can_go = (is_idle and number > 1, is_idle and number < count)
        # At the last one the focus goes to the way back, before Qt moves it elsewhere.
        self.back_button.setEnabled(can_go[0] or self.back_button.isEnabled())
        self.on_button.setEnabled(can_go[1] or self.on_button.isEnabled())
        if self.on_button.hasFocus() and not can_go[1]:
            self.back_button.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self.back_button.hasFocus() and not can_go[0]:
            self.on_button.setFocus(Qt.FocusReason.OtherFocusReason)
        self.back_button.setEnabled(can_go[0])
        self.on_button.setEnabled(can_go[1])
        self.setVisible(count > 1)

    def _step(self, step: int, checked: bool = False) -> None:
        self.stepped.emit(step)
