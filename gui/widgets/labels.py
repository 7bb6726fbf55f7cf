"""Labels that are built the same way all over the window."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QWidget


def paragraph(text: str = "", style: str = "", *, is_selectable: bool = True) -> QLabel:
    """Returns a label that wraps its lines and takes markup for plain text.

    `style` is its class in the stylesheet.
    """
    label = QLabel(text)
    if style:
        label.setProperty("class", style)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setIndent(0)
    if is_selectable:
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


class LinkLabel(QLabel):
    """Wrapped text with links, which take the colours of the theme in use.

    Qt writes the colour of links into a text when it is set, and leaves it there.
    """

    def __init__(self, text: str, parent: QWidget | None = None):
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setIndent(0)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse
            | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            text = self.text()
            self.clear()
            self.setText(text)
