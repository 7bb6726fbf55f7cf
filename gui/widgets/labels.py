"""Labels that are built the same way all over the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel


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
