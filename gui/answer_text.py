"""An answer's text: pieces as they come, Markdown once it is complete, plain text when copied."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QMimeData, Qt, QUrl, Signal, Slot
from PySide6.QtGui import (
    QFont,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextEdit, QWidget

from gui.theme import Theme

_LINE_HEIGHT = 140.0
_PARAGRAPH_GAP = 8.0
_FEATURES = (
    QTextDocument.MarkdownFeature.MarkdownDialectCommonMark
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


class AnswerText(QTextEdit):
    """As high as its text. Nothing in it is fetched, and no link leads out of it."""

    height_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("class", "answer")
        self.setFont(theme.reading_font)
        self.setReadOnly(True)
        self.setAccessibleName("Answer")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self._set_block_format(QTextCursor(self.document()))
        self._end = QTextCursor(self.document())
        self.document().documentLayout().documentSizeChanged.connect(self._on_size_changed)

    def append_piece(self, piece: str) -> None:
        self._end.movePosition(QTextCursor.MoveOperation.End)
        self._end.insertText(piece)

    def show_complete(self, text: str) -> None:
        """Set the whole text, as Markdown. A reader's selection does not survive this."""
        document = self.document()
        document.setMarkdown(_harmless(text), _FEATURES)
        _unlink(document)
        self._set_typography()

    def fit(self, width: int) -> None:
        """Lay the text out to `width`, and become as high as it."""
        self.document().setTextWidth(max(1, width))
        self._on_size_changed()

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Never: an answer may name any address."""
        return None

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.textCursor().selection().toPlainText())
        return mime

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The conversation scrolls, not its parts."""
        event.ignore()

    @Slot()
    def _on_size_changed(self) -> None:
        height = max(1, math.ceil(self.document().size().height()))
        if height != self.minimumHeight():
            self.setFixedHeight(height)
            self.height_changed.emit()

    def _set_block_format(self, cursor: QTextCursor) -> None:
        form = QTextBlockFormat()
        form.setLineHeight(_LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        cursor.mergeBlockFormat(form)

    def _set_typography(self) -> None:
        """The same measure for whatever Markdown makes of it."""
        document = self.document()
        cursor = QTextCursor(document)
        cursor.beginEditBlock()
        block = document.begin()
        while block.isValid():
            cursor.setPosition(block.position())
            form = QTextBlockFormat()
            form.setLineHeight(
                _LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value
            )
            form.setTopMargin(0)
            form.setBottomMargin(0 if _is_tight(block) else _PARAGRAPH_GAP)
            cursor.mergeBlockFormat(form)
            if block.blockFormat().headingLevel():
                cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
                heading = QTextCharFormat()
                heading.setProperty(QTextFormat.Property.FontSizeAdjustment, 1)
                heading.setFontWeight(QFont.Weight.DemiBold)
                cursor.mergeCharFormat(heading)
            block = block.next()
        cursor.endEditBlock()


def _is_tight(block: QTextBlock) -> bool:
    """The last block, and a list's lines but for its last, have no gap below."""
    following = block.next()
    if not following.isValid():
        return True
    return block.textList() is not None and following.textList() is not None


def _harmless(text: str) -> str:
    """Images become links, which `_unlink` undoes; the model's line breaks stay."""
    return text.replace("![", "\\![").replace("\n", "  \n")


def _unlink(document: QTextDocument) -> None:
    """Write a link's address behind its words, as text."""
    links: list[tuple[int, int, str]] = []
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            form = fragment.charFormat()
            if form.isAnchor():
                links.append((fragment.position(), fragment.length(), form.anchorHref()))
            iterator += 1
        block = block.next()
    cursor = QTextCursor(document)
    for position, length, address in reversed(links):
        cursor.setPosition(position)
        cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
        words = cursor.selectedText()
        cursor.insertText(words if words == address else f"{words} ({address})", QTextCharFormat())
