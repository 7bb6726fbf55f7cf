"""Pages through the answers to a question, or the questions asked in one place: ‹ 2/3 ›."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from gui.widgets.buttons import icon_button
from gui.widgets.theme import Theme


class VariantPager(QWidget):
    """Hidden while there is only one; its buttons are made when there are more.

    `stepped(int)`: show the next one, 1, or the one before, -1. `back` and `on` name the buttons;
    `position` says which one is shown, with {number} and {count}.
    """

    stepped = Signal(int)

    def __init__(self, theme: Theme, back: str, on: str, position: str):
        super().__init__()
        self._theme, self._names, self._position = theme, (back, on), position
        self._spoken = self._names
        self.buttons: tuple[QToolButton, ...] = ()
        self.label = QLabel(self)
        self.hide()

    @property
    def back_button(self) -> QToolButton:
        """Goes to the one before; there is none until there are several."""
        return self.buttons[0]

    @property
    def on_button(self) -> QToolButton:
        """Goes to the next one; there is none until there are several."""
        return self.buttons[1]

    def set_spoken_names(self, back: str, on: str) -> None:
        """Sets what screen readers call the buttons, to distinguish them from other pagers'."""
        self._spoken = (back, on)
        for button, name in zip(self.buttons, self._spoken, strict=False):
            button.setAccessibleName(name)

    def show_position(self, number: int, count: int, *, is_idle: bool) -> bool:
        """Shows which of how many is shown, from 1; only while idle others can be gone to.

        Returns whether the buttons were made for that.
        """
        if count == 1:
            self.hide()
            return False
        if is_new := not self.buttons:
            self._build()
        self.label.setText(f"{number}/{count}")
        self.label.setAccessibleName(self._position.format(number=number, count=count))
        self.label.setToolTip(self.label.accessibleName())
        self._enable(is_idle and number > 1, is_idle and number < count)
        self.show()
        return is_new

    def _enable(self, can_go_back: bool, can_go_on: bool) -> None:
        """At the last one the focus goes to the way back, before Qt moves it elsewhere."""
        pairs = ((self.back_button, can_go_back), (self.on_button, can_go_on))
        for button, is_enabled in pairs:
            if is_enabled:
                button.setEnabled(True)
        for (button, is_enabled), (other, can_be_gone_to) in zip(pairs, pairs[::-1], strict=True):
            if button.hasFocus() and not is_enabled and can_be_gone_to:
                other.setFocus(Qt.FocusReason.OtherFocusReason)
            button.setEnabled(is_enabled)

    def _build(self) -> None:
        self.buttons = tuple(
            icon_button(self._theme, icon, name)
            for icon, name in zip(("left", "right"), self._names, strict=True)
        )
        self.set_spoken_names(*self._spoken)
        self.label.setProperty("class", "foot")
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(0)
        for widget in (self.back_button, self.label, self.on_button):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        for button, step in zip(self.buttons, (-1, 1), strict=True):
            button.clicked.connect(partial(self._step, step))

    def _step(self, step: int, checked: bool = False) -> None:
        self.stepped.emit(step)
