"""The field of a query: the place of what is wrong in it is underlined."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Slot
from PySide6.QtGui import QInputMethodEvent, QTextCharFormat
from PySide6.QtWidgets import QLineEdit

from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme


class QueryField(QLineEdit):
    """A line edit with a wavy underline. Places are in code points, as `core` counts."""

    def __init__(self, theme: Theme):
        super().__init__()
        self._theme = theme
        self._is_composing = False
        self._fault: tuple[int, int] | None = None
        theme.changed.connect(self._on_theme_changed)

    @property
    def fault(self) -> tuple[int, int] | None:
        """Where the text is wrong; None if it is not known to be."""
        return self._fault

    @property
    def place(self) -> int:
        """Where the cursor is."""
        return TextIndex(self.text()).to_python(self.cursorPosition())

    def put(self, text: str, start: int, end: int) -> None:
        """Puts a text into the place of another one; the cursor follows it."""
        index = TextIndex(self.text())
        first, last = index.to_qt(start), index.to_qt(end)
        self.setSelection(first, last - first)
        self.insert(text)

    def mark(self, fault: tuple[int, int] | None) -> None:
        """Underlines what is wrong, or nothing."""
        if self._is_composing:
            return
        if fault is not None:
            # A fault at the end has no characters: the last one stands for it.
            last = len(self.text())
            start = max(min(fault[0], last - 1), 0)
            fault = (start, min(max(fault[1], start + 1), last))
        if fault == self._fault:
            return
        self._fault = fault
        attributes: list[QInputMethodEvent.Attribute] = []
        if fault is not None:
            index = TextIndex(self.text())
            first, last = index.to_qt(fault[0]), index.to_qt(fault[1])
            form = QTextCharFormat()
            form.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            form.setUnderlineColor(self._theme.colour("danger"))
            form.setForeground(self._theme.colour("danger"))
            kind = QInputMethodEvent.AttributeType.TextFormat
            # Relative to the cursor, as a text that is being composed would be.
            start = first - self.cursorPosition()
            attributes.append(QInputMethodEvent.Attribute(kind, start, last - first, form))
        # A line edit has formats only for texts that are being composed.
        QCoreApplication.sendEvent(self, QInputMethodEvent("", attributes))

    @Slot()
    def _on_theme_changed(self) -> None:
        """Marks the fault in the new theme's colour."""
        fault, self._fault = self._fault, None
        self.mark(fault)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self._is_composing = bool(event.preeditString())
        super().inputMethodEvent(event)
