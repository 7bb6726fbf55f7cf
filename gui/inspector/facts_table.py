"""The labels of the inspector, and its tables of names and values with bars."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from gui.widgets.labels import make_selectable
from gui.widgets.line_break import breakable
from gui.widgets.theme import Theme


class FactsTable(QWidget):
    """Names and values under each other; with a theme a bar behind each shows how much it is."""

    def __init__(self, theme: Theme | None = None):
        super().__init__()
        self._theme = theme
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(2, 1)

    def show_rows(self, rows: list[tuple[str, str]], shares: list[float] | None = None) -> None:
        """Replaces the rows, (name, value); `shares` from 0 to 1 are the lengths of the bars."""
        while (item := self._grid.takeAt(0)) is not None:
            if widget := item.widget():
                widget.hide()
                widget.deleteLater()
        for number, (name, value) in enumerate(rows):
            label, words = quiet_label(), QLabel(breakable(value))
            label.setText(name)
            words.setTextFormat(Qt.TextFormat.PlainText)
            make_selectable(words)
            self._grid.addWidget(label, number, 0, Qt.AlignmentFlag.AlignTop)
            if shares is None or self._theme is None:
                words.setWordWrap(True)
                self._grid.addWidget(words, number, 1, 1, 2)
                continue
            self._grid.addWidget(words, number, 1, Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(_Bar(self._theme, shares[number]), number, 2)


class _Bar(QWidget):
    def __init__(self, theme: Theme, share: float):
        super().__init__()
        self._theme, self._share = theme, share
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("accent"))
            width = max(2.0, self.width() * self._share)
            painter.drawRoundedRect(QRectF(0, self.height() / 2 - 3, width, 6), 3, 3)


def section_title(text: str) -> QLabel:
    """Returns the title of a stage of the trace."""
    label = QLabel(text)
    label.setProperty("class", "stage")
    label.setIndent(0)
    return label


def quiet_label() -> QLabel:
    """Returns an empty label for plain text in the quiet colour."""
    label = QLabel()
    label.setProperty("class", "explanation")
    label.setIndent(0)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
