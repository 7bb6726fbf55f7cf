"""A list of suggestions below the cursor of a text field, which keeps the focus meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QPlainTextEdit

_MOST_LINES = 8
_WIDTH = 320


class WordPopup(QObject):
    """Completes the word before the cursor, by Enter, Tab or a click; Esc closes the list.

    `suggest(text)` gets the text of the line up to the cursor. It returns how many of its last
    characters are to be replaced, and by what: (text to insert, explanation).
    """

    def __init__(
        self,
        edit: QPlainTextEdit,
        suggest: Callable[[str], tuple[int, Sequence[tuple[str, str]]]],
        name: str,
    ):
        """`name` is what screen readers call the list."""
        super().__init__(edit)
        self._edit, self._suggest = edit, suggest
        self._length = 0
        self._is_dismissed = False
        self._list = QListWidget(edit)
        self._list.setObjectName("word_popup_list")
        self._list.setAccessibleName(name)
        self._list.setWindowFlags(Qt.WindowType.ToolTip | Qt.WindowType.FramelessWindowHint)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemClicked.connect(self._take)
        self._list.hide()
        edit.installEventFilter(self)
        edit.textChanged.connect(self._look)
        edit.cursorPositionChanged.connect(self._look)

    @property
    def is_open(self) -> bool:
        """Whether there are suggestions."""
        return self._list.isVisible()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """While the list is open, some keys are for it."""
        if event.type() == QEvent.Type.FocusOut:
            self._list.hide()
        elif not self.is_open or not isinstance(event, QKeyEvent) or event.modifiers():
            pass
        elif event.type() == QEvent.Type.ShortcutOverride and event.key() == Qt.Key.Key_Escape:
            event.accept()  # Otherwise Esc would stop an answer.
            return True
        elif event.type() == QEvent.Type.KeyPress:
            return self._takes(event.key())
        return super().eventFilter(watched, event)

    def _takes(self, key: int) -> bool:
        keys = Qt.Key
        match key:
            case keys.Key_Down | keys.Key_Up:
                by = 1 if key == keys.Key_Down else -1
                self._list.setCurrentRow((self._list.currentRow() + by) % self._list.count())
            case keys.Key_Return | keys.Key_Enter | keys.Key_Tab:
                self._take(self._list.currentItem())
            case keys.Key_Escape:
                self._is_dismissed = True
                self._list.hide()
            case _:
                return False
        return True

    @Slot()
    def _look(self) -> None:
        """Shows what may be meant."""
        edit, cursor = self._edit, self._edit.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        can_take = edit.hasFocus() and not edit.isReadOnly() and not cursor.hasSelection()
        self._length, found = self._suggest(before) if can_take else (0, ())
        if not found:
            self._is_dismissed = False
            self._list.hide()
        elif not self._is_dismissed:
            self._show(found)

    def _show(self, found: Sequence[tuple[str, str]]) -> None:
        self._list.clear()
        for text, explanation in found:
            item = QListWidgetItem(f"{text}  {explanation}")
            item.setData(Qt.ItemDataRole.UserRole, text)
            self._list.addItem(item)
        self._list.setCurrentRow(0)
        lines = min(_MOST_LINES, len(found))
        height = lines * max(1, self._list.sizeHintForRow(0)) + 2 * self._list.frameWidth()
        screen = self._edit.screen().availableGeometry()
        bar = self._list.verticalScrollBar().sizeHint().width()
        width = min(max(_WIDTH, self._list.sizeHintForColumn(0) + bar), screen.width())
        self._list.resize(width, height)
        rect = self._edit.cursorRect()
        viewport = self._edit.viewport()
        at = viewport.mapToGlobal(rect.bottomLeft() + QPoint(0, 4))
        if at.y() + height > screen.bottom():
            at = viewport.mapToGlobal(rect.topLeft()) - QPoint(0, height + 4)
        at.setX(max(screen.left(), min(at.x(), screen.right() - width)))
        self._list.move(at)
        self._list.show()

    @Slot(QListWidgetItem)
    def _take(self, item: QListWidgetItem) -> None:
        cursor = self._edit.textCursor()
        move, keep = QTextCursor.MoveOperation.Left, QTextCursor.MoveMode.KeepAnchor
        cursor.movePosition(move, keep, self._length)
        cursor.insertText(item.data(Qt.ItemDataRole.UserRole))
        self._list.hide()
        self._edit.setTextCursor(cursor)
