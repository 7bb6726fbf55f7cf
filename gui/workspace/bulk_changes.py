"""Captions before and after an edit, with the words marked in which they differ."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Slot
from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextOption
from PySide6.QtWidgets import QTextEdit, QWidget

from core.captions.wording import Span
from core.workspace import Change
from gui.widgets.theme import Theme

_LONGEST = 1500
_LEAST_LINES = 4
_GAP = 8


class BulkChanges(QTextEdit):
    """Shows the first captions that an edit would change; it cannot be written in."""

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("bulk_changes")
        self.setProperty("class", "field")
        self.setAccessibleName(self.tr("Captions before and after"))
        self.setPlaceholderText(self.tr("Captions that change are shown here."))
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._theme = theme
        self._changes: Sequence[Change] = ()
        theme.changed.connect(self._paint_again)
        option = QTextOption()
        option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDefaultTextOption(option)

    def show_changes(self, changes: Sequence[Change]) -> None:
        """Shows other captions."""
        if changes != self._changes:
            self._changes = changes
            self._paint_again()

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.fontMetrics().lineSpacing() * _LEAST_LINES + 16)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._paint_again()

    @Slot()
    def _paint_again(self) -> None:
        self.clear()
        cursor = QTextCursor(self.document())
        quiet, plain = QTextCharFormat(), QTextCharFormat()
        quiet.setForeground(self._theme.colour("text_quiet"))
        plain.setForeground(self._theme.colour("text"))
        removed, added = QTextCharFormat(plain), QTextCharFormat(plain)
        removed.setForeground(self._theme.colour("danger"))
        removed.setBackground(self._theme.colour("danger_soft"))
        removed.setFontStrikeOut(True)
        added.setForeground(self._theme.colour("accent"))
        added.setBackground(self._theme.colour("accent_soft"))
        added.setFontWeight(600)
        cursor.beginEditBlock()
        for number, change in enumerate(self._changes):
            _begin_block(cursor, number > 0, _GAP)
            cursor.insertText(change.name, quiet)
            texts = change.caption
            for text, spans, format in (
                (texts.before, texts.spans_before, removed),
                (texts.after, texts.spans_after, added),
            ):
                _begin_block(cursor, True, 0)
                if text.strip():
                    _insert(cursor, text, spans, plain, format)
                else:
                    cursor.insertText(self.tr("(no caption)"), quiet)
        cursor.endEditBlock()
        self.moveCursor(QTextCursor.MoveOperation.Start)


def _begin_block(cursor: QTextCursor, is_new: bool, above: int) -> None:
    format = QTextBlockFormat()
    format.setTopMargin(above if is_new else 0)
    if is_new:
        cursor.insertBlock(format)
    else:
        cursor.setBlockFormat(format)


def _insert(
    cursor: QTextCursor,
    text: str,
    spans: Sequence[Span],
    plain: QTextCharFormat,
    marked: QTextCharFormat,
) -> None:
    """Inserts a text, or as much as is looked at of a very long one."""
    end = 0
    for begin, after in spans:
        if begin >= _LONGEST:
            break
        cursor.insertText(_on_one_line(text[end:begin]), plain)
        cursor.insertText(_on_one_line(text[begin : min(after, _LONGEST)]), marked)
        end = after
    if end < len(text):
        rest = text[end : max(_LONGEST, end)]
        cursor.insertText(_on_one_line(rest) + ("…" if len(text) > _LONGEST else ""), plain)


def _on_one_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\u2028")
