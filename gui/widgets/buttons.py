"""Buttons that are built the same way all over the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QPushButton, QToolButton

from gui.widgets.theme import Theme


def key_text(key: str) -> str:
    """Returns a key such as "Ctrl+P" as this system writes it."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)


def key_button(
    text: str, name: str, key: str, *, tip: str = "", is_small: bool = False
) -> QPushButton:
    """Returns a button with a shortcut, which its tool tip names behind `tip`."""
    button = QPushButton(text)
    button.setObjectName(name)
    button.setShortcut(QKeySequence(key))
    button.setToolTip(f"{tip} ({key_text(key)})" if tip else key_text(key))
    button.setAutoDefault(False)
    if is_small:
        button.setProperty("class", "small")
    return button


def set_text_beside_icon(button: QToolButton, text: str) -> None:
    """Shows an icon and a text. Qt puts them too close together, and no style sheet changes it."""
    button.setText(f" {text}")
    button.setAccessibleName(text)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)


def icon_button(theme: Theme, icon: str, name: str, *, tip: str = "") -> QToolButton:
    """Returns a quiet button with only an icon; without a `tip`, `name` is also its tool tip."""
    button = QToolButton()
    button.setProperty("class", "action")
    button.setToolTip(tip or name)
    button.setAccessibleName(name)
    theme.set_icon(button, icon, "text_quiet")
    return button
