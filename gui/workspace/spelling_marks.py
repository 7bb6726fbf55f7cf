"""Words of the caption that are written wrong: waves below them, and suggestions in the menu."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject, QPoint, Signal, Slot
from PySide6.QtGui import QAction, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QMenu, QPlainTextEdit, QTextEdit

from core.spelling import Span
from gui.widgets.plain_text import text_of
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme


class SpellingMarks(QObject):
    """Knows which words of an editor's text are wrong; whoever owns it shows `selections`.

    `changed()`: other words are marked. `suggestions_asked(str)`: what may be meant by this word?
    `added(str)`: it is right.
    """

    changed = Signal()
    suggestions_asked = Signal(str)
    added = Signal(str)

    def __init__(self, editor: QPlainTextEdit, theme: Theme):
        super().__init__(editor)
        self._editor, self._theme = editor, theme
        self._cursors: list[QTextCursor] = []
        self._menu: QMenu | None = None
        self._waiting: QAction | None = None
        self._asked: QTextCursor | None = None

    def show_wrong(self, text: str, spans: Sequence[Span]) -> None:
        """Marks these parts of a text, unless there is another one meanwhile."""
        if text != text_of(self._editor):
            return
        index = TextIndex(text)
        self._cursors = [self._cursor(index.to_qt(a), index.to_qt(b)) for a, b in spans]
        self.changed.emit()

    @property
    def words(self) -> list[str]:
        """The words that are marked."""
        return [cursor.selectedText() for cursor in self._cursors]

    def selections(self) -> list[QTextEdit.ExtraSelection]:
        """Returns the marks as the editor paints them."""
        form = QTextCharFormat()
        form.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        form.setUnderlineColor(self._theme.colour("danger"))
        marks: list[QTextEdit.ExtraSelection] = []
        for cursor in self._cursors:
            mark = QTextEdit.ExtraSelection()
            mark.cursor, mark.format = cursor, form  # type: ignore[attr-defined]
            marks.append(mark)
        return marks

    def extend_menu(self, menu: QMenu, at: QPoint | None) -> None:
        """Puts what helps with the wrong word at a place of the editor, or at its cursor, on top
        of its menu. Suggestions follow when they are found."""
        where = self._editor.textCursor() if at is None else self._editor.cursorForPosition(at)
        position = where.position()
        cursors = (c for c in self._cursors if c.selectionStart() <= position <= c.selectionEnd())
        asked = next(cursors, None)
        if asked is None or not asked.selectedText():
            return
        self._asked, self._menu = asked, menu
        first = menu.actions()[0] if menu.actions() else None
        self._waiting = QAction(self.tr("Looking for suggestions…"), menu)
        self._waiting.setEnabled(False)
        add = QAction(self.tr("Add to dictionary"), menu)
        add.setObjectName("add_to_dictionary")
        add.triggered.connect(partial(self._add, asked.selectedText()))
        separator = QAction(menu)
        separator.setSeparator(True)
        for action in (self._waiting, add, separator):
            menu.insertAction(first, action)  # type: ignore[arg-type]
        menu.aboutToHide.connect(self._on_menu_hidden)
        self.suggestions_asked.emit(asked.selectedText())

    def show_suggestions(self, word: str, texts: Sequence[str]) -> None:
        """Offers what may be meant by a word in the menu that waits for it."""
        menu, waiting, asked = self._menu, self._waiting, self._asked
        if menu is None or waiting is None or asked is None or asked.selectedText() != word:
            return
        if not texts:
            waiting.setText(self.tr("No suggestions"))
        for text in texts:
            action = QAction(text.replace("&", "&&"), menu)
            action.triggered.connect(partial(self._replace, asked, word, text))
            menu.insertAction(waiting, action)
        if texts:
            menu.removeAction(waiting)
            self._waiting = None

    @Slot()
    def _on_menu_hidden(self) -> None:
        self._menu = self._waiting = self._asked = None

    def _cursor(self, begin: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self._editor.document())
        cursor.setPosition(begin)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _replace(self, cursor: QTextCursor, word: str, text: str, checked: bool = False) -> None:
        if cursor.selectedText() == word:
            cursor.insertText(text)

    def _add(self, word: str, checked: bool = False) -> None:
        self.added.emit(word)
