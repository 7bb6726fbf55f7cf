"""One page of the settings dialog, and the controls that its rows are made of."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.settings import Settings
from gui.widgets.elided_combo_box import ElidedComboBox

_CONTROL_SIZE = (184, 30)


class SettingsPage(QScrollArea):
    """Rows of a title, a control and an explanation; each edits one field of Settings.

    `controls` are the controls by the name of their field.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # A click beside a control leaves the focus.
        self.controls: dict[str, QWidget] = {}
        inside = QWidget()
        inside.setObjectName("settings_page")
        self._rows = QVBoxLayout(inside)
        self._rows.setContentsMargins(24, 20, 24, 12)
        self._rows.setSpacing(20)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inside)

    def add_row(self, name: str, title: str, words: str, control: QWidget) -> QVBoxLayout:
        """Add a row, and return its layout, to which more may be added below the words."""
        control.setObjectName(f"{name}_control")
        control.setAccessibleName(title)
        control.setAccessibleDescription(words)
        control.setFixedSize(*_CONTROL_SIZE)
        if isinstance(control, QAbstractSpinBox):
            # The stylesheet's padding does not reach the text of a spin box.
            control.lineEdit().setTextMargins(6, 0, 0, 0)
        title_label = QLabel(title)
        title_label.setBuddy(control)
        words_label = QLabel(words)
        words_label.setProperty("class", "explanation")
        words_label.setWordWrap(True)
        head = QHBoxLayout()
        head.addWidget(title_label, 1)
        head.addWidget(control)
        block = QVBoxLayout()
        block.setSpacing(4)
        block.addLayout(head)
        block.addWidget(words_label)
        self._rows.addLayout(block)
        self.controls[name] = control
        return block

    def add_whole(
        self,
        name: str,
        title: str,
        words: str,
        suffix: str = "",
        step: int = 1,
    ) -> QSpinBox:
        """Add a row for a whole number, within the bounds of the field, and return its control."""
        low, high = _bounds(name)
        control = _WholeBox()
        control.setRange(int(low), int(high))
        control.setSingleStep(step)
        control.setSuffix(suffix)
        bounds = self.tr("From {low} to {high}.").format(low=f"{low:.0f}", high=f"{high:.0f}")
        words = f"{words} {bounds}"
        self.add_row(name, title, words, control)
        return control

    def add_fraction(self, name: str, title: str, words: str) -> None:
        """Add a row for a number with two decimals, within the bounds of the field."""
        low, high = _bounds(name)
        control = _FractionBox()
        control.setDecimals(2)
        control.setSingleStep(0.05)
        control.setRange(low or (0.01 if _is_open_below(name) else 0), high)
        low = f"{control.minimum():g}"
        bounds = self.tr("From {low} to {high}.").format(low=low, high=f"{high:g}")
        words = f"{words} {bounds}"
        self.add_row(name, title, words, control)

    def add_choice(
        self,
        name: str,
        title: str,
        words: str,
        choices: Sequence[tuple[object, str]],
    ) -> None:
        """Add a row for one of several (value, text on screen)."""
        control = _ChoiceBox()
        for value, shown in choices:
            control.addItem(shown, value)
        self.add_row(name, title, words, control)

    def end(self) -> None:
        """Move the rows to the top, after the last one."""
        self._rows.addStretch(1)


class _WholeBox(QSpinBox):
    """Follows the wheel only while it has the focus: scrolling the page changes nothing."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _FractionBox(QDoubleSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class _ChoiceBox(ElidedComboBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


def _bounds(name: str) -> tuple[float, float]:
    """Return the smallest and largest value of a field, from Settings itself."""
    low, high = 0.0, 0.0
    for rule in Settings.model_fields[name].metadata:
        low = getattr(rule, "ge", getattr(rule, "gt", low))
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high


def _is_open_below(name: str) -> bool:
    return any(hasattr(rule, "gt") for rule in Settings.model_fields[name].metadata)
