"""An answer's text: pieces as they arrive, Markdown once complete, plain text when copied."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QMimeData,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    Qt,
    QUrl,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QFrame, QSizePolicy, QTextEdit, QWidget

from gui.conversation.answer_words import AnswerWords
from gui.conversation.spoken_words import spoken_word
from gui.widgets.focus_ring import is_by_key
from gui.widgets.theme import Theme

_LINE_HEIGHT = 140.0
_PARAGRAPH_GAP = 8.0
_FEATURES = (
    QTextDocument.MarkdownFeature.MarkdownDialectCommonMark
    | QTextDocument.MarkdownFeature.MarkdownNoHTML
)


class AnswerText(QTextEdit):
    """As high as its text. It loads no resources, and its links are plain text.

    Once `words` are known: `word_hovered(int)`; `word_chosen(int)` by a click or the arrow keys;
    `word_menu_asked(int, QPoint)`. They carry the index of a word, or -1 for none; Esc chooses
    none. `entered()`: the pointer came over the text. `height_changed()`: it needs another height.

    `take_tab`, if set, is asked when Tab or Shift+Tab is pressed while a word is chosen; it returns
    whether it moved the focus.
    """

    height_changed = Signal()
    word_hovered = Signal(int)
    word_chosen = Signal(int)
    word_menu_asked = Signal(int, QPoint)
    entered = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setProperty("class", "answer")
        self.words = AnswerWords(self, theme)
        self.take_tab: Callable[[bool], bool] | None = None
        self.shows_focus = False
        self._pressed_at: QPointF | None = None
        self.setFont(theme.reading_font)
        self.setReadOnly(True)
        self.setAccessibleName(self.tr("Answer"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setTabChangesFocus(True)
        self.viewport().setMouseTracking(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(0)
        self._set_block_format(QTextCursor(self.document()))
        self._end = QTextCursor(self.document())
        self.document().documentLayout().documentSizeChanged.connect(self._on_size_changed)
        self.selectionChanged.connect(self._on_selection_changed)

    def append_piece(self, piece: str) -> None:
        """Adds a piece of text at the end."""
        self._end.movePosition(QTextCursor.MoveOperation.End)
        self._end.insertText(piece)

    def show_complete(self, text: str) -> None:
        """Shows the whole text as Markdown. A selection is lost, and no word is chosen."""
        self.hover_word(-1)
        self.choose_word(-1)
        self.words.clear()
        document = self.document()
        document.setMarkdown(_harmless(text), _FEATURES)
        _unlink(document)
        self._set_typography()

    def fit(self, width: int) -> None:
        """Lays the text out to `width` pixels, and becomes as high as it is."""
        self.document().setTextWidth(max(1, width))
        self._on_size_changed()

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Loads nothing: an answer may name any address."""
        return None

    def createMimeDataFromSelection(self) -> QMimeData:
        mime = QMimeData()
        mime.setText(self.textCursor().selection().toPlainText())
        return mime

    # The words

    def choose_word(self, index: int) -> None:
        """Marks a word as the chosen one; with -1, none."""
        if index != self.words.chosen:
            self.words.chosen = index
            # The frame around the word replaces the text cursor.
            self.setCursorWidth(0 if index >= 0 else 1)
            self.viewport().update()
            self._announce(index)
            self.word_chosen.emit(index)

    def _announce(self, index: int) -> None:
        """Lets a screen reader say the word that the keys have come to, and its doubt."""
        if index >= 0 and QAccessible.isActive():
            words = spoken_word(self.words.words[index])
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, words))

    def hover_word(self, index: int) -> None:
        """Marks a word as the one under the pointer; with -1, none."""
        if index != self.words.hovered:
            self.words.hovered = index
            self.viewport().update()
            self.word_hovered.emit(index)

    def word_rects(self, index: int) -> list[QRect]:
        """Returns where the parts of a word are, one for each line, in screen coordinates."""
        rects = (rect.toAlignedRect() for rect in self.words.rects(index))
        return [QRect(self.viewport().mapToGlobal(one.topLeft()), one.size()) for one in rects]

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.words.draws:
            super().paintEvent(event)
            return
        with QPainter(self.viewport()) as painter:
            self.words.paint_below(painter)
        super().paintEvent(event)
        with QPainter(self.viewport()) as painter:
            self.words.paint_above(painter, QRectF(event.rect()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_free = event.buttons() == Qt.MouseButton.NoButton
        if is_free and not self.textCursor().hasSelection():
            self.hover_word(self.words.at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.hover_word(-1)
        super().mousePressEvent(event)
        is_left = event.button() == Qt.MouseButton.LeftButton
        self._pressed_at = event.position() if is_left else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, self._pressed_at = self._pressed_at, None
        if pressed is None or self.textCursor().hasSelection():
            return
        moved = (event.position() - pressed).manhattanLength()
        if moved < QApplication.startDragDistance():
            self.choose_word(self.words.at(event.position()))

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hover_word(-1)
        elif event.type() == QEvent.Type.Enter:
            self.entered.emit()
        return super().viewportEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._show_focus(is_by_key(event))

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._show_focus(False)

    def _show_focus(self, shows_focus: bool) -> None:
        """The ring is around the text: on it there is no room for one."""
        if shows_focus != self.shows_focus:
            self.shows_focus = shows_focus
            if (parent := self.parentWidget()) is not None:
                parent.update()

    def event(self, event: QEvent) -> bool:
        is_escape = (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
        )
        if is_escape and self.words.chosen >= 0:
            event.accept()
            return True
        return super().event(event)

    def focusNextPrevChild(self, forward: bool) -> bool:
        if self.words.chosen >= 0 and self.take_tab and self.take_tab(forward):
            return True
        return super().focusNextPrevChild(forward)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        words, chosen = self.words, self.words.chosen
        if chosen < 0 or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
            return
        match event.key():
            case Qt.Key.Key_Left:
                self.choose_word(words.neighbour(chosen, -1))
            case Qt.Key.Key_Right:
                self.choose_word(words.neighbour(chosen, 1))
            case Qt.Key.Key_Up:
                self.choose_word(words.across(chosen, -1))
            case Qt.Key.Key_Down:
                self.choose_word(words.across(chosen, 1))
            case Qt.Key.Key_Home:
                self.choose_word(words.end(-1))
            case Qt.Key.Key_End:
                self.choose_word(words.end(1))
            case Qt.Key.Key_Escape:
                self.choose_word(-1)
            case _:
                super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        chosen = self.words.chosen
        index = chosen if by_key else self.words.at(QPointF(event.pos()))
        if index < 0:
            event.ignore()  # Between the words, it is the exchange's menu that opens.
            return
        at = self.word_rects(index)[0].bottomLeft() if by_key else event.globalPos()
        self.word_menu_asked.emit(index, at)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leaves the wheel to the conversation, which scrolls as a whole."""
        event.ignore()

    @Slot()
    def _on_selection_changed(self) -> None:
        """Selecting text is something else than looking into words."""
        if self.textCursor().hasSelection():
            self.hover_word(-1)
            self.choose_word(-1)

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
        """Gives all that Markdown makes of the text the same line height and spacing."""
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
    """Whether a block has no gap below: the last one, and all items of a list but its last."""
    following = block.next()
    if not following.isValid():
        return True
    return block.textList() is not None and following.textList() is not None


def _harmless(text: str) -> str:
    """Turns images into links, which `_unlink` undoes, and keeps the model's line breaks."""
    return text.replace("![", "\\![").replace("\n", "  \n")


def _unlink(document: QTextDocument) -> None:
    """Writes the address of each link behind its words, as text."""
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
