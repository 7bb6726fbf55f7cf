"""Finds texts on screen that no translator was asked for."""

from __future__ import annotations

import re

from PySide6.QtCore import QTranslator
from PySide6.QtWidgets import QAbstractButton, QLabel, QLineEdit, QMenu, QProgressBar, QWidget


class Bracketing(QTranslator):
    """Translates every string into itself in brackets."""

    def isEmpty(self) -> bool:
        return False

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        return f"⟦{source}⟧"


def shown_texts(widget: QWidget) -> set[str]:
    """What can be read in `widget` and its menus, on screen or by a screen reader."""
    texts = [widget.windowTitle()]
    for part in widget.findChildren(QWidget):
        texts += [part.toolTip(), part.accessibleName(), part.accessibleDescription()]
        if isinstance(part, QLabel | QAbstractButton):
            texts.append(part.text())
        if isinstance(part, QLineEdit):
            texts.append(part.placeholderText())
        if isinstance(part, QProgressBar) and part.isTextVisible():
            texts.append(part.text())
        if isinstance(part, QMenu):
            texts += [action.text() for action in part.actions()]
            texts += [action.toolTip() for action in part.actions()]
    return {text for text in texts if re.search(r"\w{2}", text)}


def untranslated(widget: QWidget, *data: str) -> list[str]:
    """Texts outside of brackets, except for `data`: names, licences, what core says."""
    left = []
    for text in shown_texts(widget):
        rest, before = text, ""
        while rest != before:  # A translated string may have been put into another one.
            rest, before = re.sub(r"⟦[^⟦⟧]*⟧", "", rest), rest
        for one in sorted(data, key=len, reverse=True):
            rest = rest.replace(one, "")
        rest = re.sub(r"<[^<>]*>", "", rest)  # Markup.
        # Zero-width spaces, at which long names may break; numbers with units.
        rest = re.sub(r"[\d.]+ ?(GB|MB|kB|%)?", "", rest.replace("\u200b", ""))
        if re.search(r"\w{2}", rest):
            left.append(text)
    return left
