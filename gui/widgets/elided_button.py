"""A quiet button of one line of text that is elided to its width."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPaintEvent
from PySide6.QtWidgets import (
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QStylePainter,
    QWidget,
)

from gui.widgets.text_direction import elided, isolated

_LEAST_CHARACTERS = 4


class ElidedButton(QPushButton):
    """`text()` is the whole text, which the tool tip has too while it is elided."""

    def __init__(self, text: str = "", parent: QWidget | None = None):
        super().__init__(text, parent)
        self.setAutoDefault(False)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        width = _LEAST_CHARACTERS * self.fontMetrics().averageCharWidth()
        return QSize(width, super().minimumSizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses it too, as it does a link."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        # In Qt's markup for keys an ampersand would be an underline.
        whole = self.text()
        place = QStyle.SubElement.SE_PushButtonContents
        room = self.style().subElementRect(place, option, self).width()
        shown = elided(self.fontMetrics(), whole, Qt.TextElideMode.ElideRight, room)
        option.text = shown.replace("&", "&&")  # type: ignore[attr-defined]
        if (tip := "" if shown == isolated(whole) else whole) != self.toolTip():
            self.setToolTip(tip)
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        painter.end()
