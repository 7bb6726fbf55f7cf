"""Markdown that was written elsewhere, shown without loading anything that it names."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QTextBrowser, QWidget

_FEATURES = (
    QTextDocument.MarkdownFeature.MarkdownDialectGitHub
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


class ForeignMarkdown(QTextBrowser):
    """Loads no image and no file. Of the links only those to https are links; a click opens one
    in the web browser, and the pointer shows where it leads."""

    def __init__(self, text: str, parent: QWidget | None = None):
        super().__init__(parent)
        # Neither the text nor a click may lead this widget itself to another document.
        self.setOpenLinks(False)
        # An image would be loaded before it could be taken out, so that it becomes a link first.
        self._markdown = text.replace("![", "[")
        self._render()
        self.anchorClicked.connect(self._on_anchor_clicked)
        self.highlighted.connect(self._on_highlighted)

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Loads nothing: on Windows even a file's name may lead to another computer."""
        return None

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            # The colour of links is written into the document.
            at = self.verticalScrollBar().value()
            self._render()
            self.verticalScrollBar().setValue(at)

    def _render(self) -> None:
        self.document().setMarkdown(self._markdown, _FEATURES)
        _unlink(self.document())

    @Slot(QUrl)
    def _on_anchor_clicked(self, address: QUrl) -> None:
        if _is_safe(address):
            QDesktopServices.openUrl(address)

    @Slot(QUrl)
    def _on_highlighted(self, address: QUrl) -> None:
        self.viewport().setToolTip(address.toDisplayString())


def _is_safe(address: QUrl) -> bool:
    return address.isValid() and address.scheme() == "https" and bool(address.host())


def _unlink(document: QTextDocument) -> None:
    """Turns links that are not to https into plain words."""
    unsafe: list[tuple[int, int]] = []
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            form = fragment.charFormat()
            if form.isAnchor() and not _is_safe(QUrl(form.anchorHref())):
                unsafe.append((fragment.position(), fragment.length()))
            iterator += 1
        block = block.next()
    cursor = QTextCursor(document)
    for position, length in unsafe:
        cursor.setPosition(position)
        cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(QTextCharFormat())
