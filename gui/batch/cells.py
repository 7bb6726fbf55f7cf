"""The delegates of the caption list: each paints one column; captions are edited in place."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QObject,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QPainter, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from core.batch import Item, ItemState
from core.captions.wording import Replaced
from gui.batch.rows import BatchModel, Index
from gui.batch.thumbnails import THUMBNAIL_SIDE
from gui.widgets.doubt_pen import doubt_pen
from gui.widgets.draft_timer import DraftTimer
from gui.widgets.painting import FormattedSpan, paint_lines, paint_thumbnail
from gui.widgets.plain_text import text_of
from gui.widgets.text_direction import PlainTextEdit, elided, mirrored
from gui.widgets.theme import Theme

ROW_HEIGHT = 56
GAP = 6
_EDITOR_HEIGHT = 92
_PICTURE_LEFT = 12
_NAME_GAP = 10
# Characters shown before a replacement that would otherwise be out of view.
_LEAD = 24
_THIN_SPACE = "\u2009"


class CaptionEdit(PlainTextEdit):
    """Edits a caption, which may have several lines.

    `drafted(str)`: this is being written, some times a second. `draft_dropped()`: nothing is any
    more.
    """

    drafted = Signal(str)
    draft_dropped = Signal()

    def __init__(self, parent: QWidget):
        super().__init__(parent=parent)
        self._given = ""
        self.is_committed = False
        """Whether the text was given to the run, as it is."""
        self.setObjectName("caption_edit")
        self.setAccessibleName(self.tr("Caption"))
        self._draft_timer = DraftTimer(self)
        self._draft_timer.timeout.connect(self._emit_draft)
        self.textChanged.connect(self._on_text_changed)

    @property
    def is_changed(self) -> bool:
        """Whether the text is another one than the caption."""
        return text_of(self) != self._given

    def show_caption(self, caption: str) -> None:
        """Takes over the caption that the image has now, unless a person has written another one
        meanwhile."""
        if not self.is_changed:
            self.write(caption)
            self._given = text_of(self)

    def write(self, text: str) -> None:
        """Puts a text in the place of the one that is there, as if it was typed."""
        self.setPlainText(text)
        self.moveCursor(QTextCursor.MoveOperation.End)

    def end(self) -> None:
        """It is closed: what was not given to the run is given up."""
        self._draft_timer.stop()
        if not self.is_committed:
            self.draft_dropped.emit()

    @Slot()
    def _on_text_changed(self) -> None:
        self.is_committed = False
        self._draft_timer.begin()

    @Slot()
    def _emit_draft(self) -> None:
        if self.is_changed:
            self.drafted.emit(text_of(self))
        else:
            self.draft_dropped.emit()


class _Cell(QStyledItemDelegate):
    """Paints the background of a row; subclasses paint the content."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, self._theme.colour("accent_soft"))
        painter.setPen(self._theme.colour("border"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.setFont(option.font)  # type: ignore[attr-defined]
        self._paint_content(painter, rect, index)
        painter.restore()

    def _paint_content(self, painter: QPainter, rect: QRect, index: Index) -> None:
        raise NotImplementedError

    def _item(self, index: Index) -> Item:
        return self._model(index).item(index)

    def _model(self, index: Index) -> BatchModel:
        model = index.model()
        assert isinstance(model, BatchModel)
        return model


class PictureCell(_Cell):
    """The thumbnail and the file's name."""

    def _paint_content(self, painter: QPainter, rect: QRect, index: Index) -> None:
        frame = QRect(
            rect.left() + _PICTURE_LEFT,
            rect.top() + (rect.height() - THUMBNAIL_SIDE) // 2,
            THUMBNAIL_SIDE,
            THUMBNAIL_SIDE,
        )
        frame = mirrored(frame, rect, painter)
        paint_thumbnail(painter, frame, index.data(Qt.ItemDataRole.DecorationRole), self._theme)
        text = rect.adjusted(_PICTURE_LEFT + THUMBNAIL_SIDE + _NAME_GAP, 0, -GAP, 0)
        text = mirrored(text, rect, painter)
        # The end of a name says more than its middle. Only a name that would lose much takes a
        # second line.
        metrics, name = painter.fontMetrics(), index.data()
        is_long = metrics.horizontalAdvance(name) > 1.3 * text.width()
        width = round(1.8 * text.width()) if is_long else text.width()
        name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width)
        # Beside the thumbnail, in whatever script.
        left = Qt.AlignmentFlag.AlignLeft
        side = QStyle.visualAlignment(painter.layoutDirection(), left)
        paint_lines(painter, text, name, self._theme.colour("text"), side=side)


class StateCell(_Cell):
    """The state of the item in a word, and under it whether there is a warning about its image."""

    def _paint_content(self, painter: QPainter, rect: QRect, index: Index) -> None:
        item, state = self._item(index), self._item(index).state
        tokens = {ItemState.FAILED: "danger", ItemState.WORKING: "accent", ItemState.DONE: "text"}
        painter.setPen(self._theme.colour(tokens.get(state, "text_quiet")))
        flag, inside = Qt.AlignmentFlag.AlignVCenter, rect.adjusted(GAP, 0, 0, 0)
        if item.notes:
            line = painter.fontMetrics().height() // 2
            painter.drawText(inside.translated(0, -line), flag, index.data())
            painter.setPen(self._theme.colour("text_quiet"))
            painter.drawText(inside.translated(0, line), flag, self.tr("Warning"))
        else:
            painter.drawText(inside, flag, index.data())


class DoubtCell(_Cell):
    """The most doubtful word of the caption, underlined as in an answer."""

    def _paint_content(self, painter: QPainter, rect: QRect, index: Index) -> None:
        model = self._model(index)
        doubt = model.doubt(model.number(index))
        if doubt is None or not doubt.word:
            return
        metrics = painter.fontMetrics()
        inside = rect.adjusted(GAP, 0, -GAP, 0)
        word = elided(metrics, doubt.word, Qt.TextElideMode.ElideRight, inside.width())
        painter.setPen(self._theme.colour("text" if doubt.step else "text_quiet"))
        painter.drawText(inside, Qt.AlignmentFlag.AlignVCenter, word)
        if doubt.step:
            painter.setPen(doubt_pen(self._theme, doubt.step))
            y = inside.center().y() + metrics.height() // 2 + 2
            line = QRect(inside.left(), y, metrics.horizontalAdvance(word), 1)
            line = mirrored(line, inside, painter)
            painter.drawLine(line.left(), y, line.right() + 1, y)


class CaptionCell(_Cell):
    """The caption, cut to the lines that fit into a row; the tool tip has all of it.

    `edit_begun()`: the caption is being edited. `neighbour_asked(int)`: Tab was pressed, so the
    caption below, 1, or above, -1, is to be edited next. `drafted(int, str)`: this is being written
    for the item with that number; `draft_dropped(int)`: nothing is any more.
    """

    edit_begun = Signal()
    neighbour_asked = Signal(int)
    drafted = Signal(int, str)
    draft_dropped = Signal(int)

    def _paint_content(self, painter: QPainter, rect: QRect, index: Index) -> None:
        item, model = self._item(index), self._model(index)
        is_quiet = not item.caption and item.state is not ItemState.FAILED
        token = "text_quiet" if is_quiet else "text" if item.caption else "danger"
        replaced = model.replacement.of(item.caption) if model.replacement else None
        text, spans = (index.data(), []) if replaced is None else self._changes(replaced)
        inside = rect.adjusted(GAP, 4, -12, -5)
        paint_lines(painter, inside, text, self._theme.colour(token), spans)

    def _changes(self, replaced: Replaced) -> tuple[str, list[FormattedSpan]]:
        """The caption with each removed text struck out and the new text behind it."""
        removed, added = QTextCharFormat(), QTextCharFormat()
        removed.setFontStrikeOut(True)
        removed.setForeground(self._theme.colour("danger"))
        added.setForeground(self._theme.colour("accent"))
        added.setFontWeight(QFont.Weight.DemiBold)
        begin = max(0, replaced.spans_before[0][0] - _LEAD)
        text, kept_to = "…" if begin else "", begin
        spans: list[FormattedSpan] = []
        for (start, end), (new_start, new_end) in zip(
            replaced.spans_before, replaced.spans_after, strict=True
        ):
            text += replaced.before[kept_to:start]
            spans.append(((len(text), len(text) + end - start), removed))
            text += replaced.before[start:end] + _THIN_SPACE
            spans.append(((len(text), len(text) + new_end - new_start), added))
            text += replaced.after[new_start:new_end]
            kept_to = end
        return text + replaced.before[kept_to:], spans

    # Editing in place

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> CaptionEdit:
        self.edit_begun.emit()
        editor = CaptionEdit(parent)
        # The row may be another one by then.
        number = self._model(index).number(index)
        editor.drafted.connect(partial(self.drafted.emit, number))
        editor.draft_dropped.connect(partial(self.draft_dropped.emit, number))
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Also called when the item changes, as it does while the run captions it."""
        assert isinstance(editor, CaptionEdit)
        editor.show_caption(index.data(Qt.ItemDataRole.EditRole))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        assert isinstance(editor, CaptionEdit)
        if editor.is_changed:
            editor.is_committed = model.setData(index, text_of(editor))

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Makes the editor higher than a row, where the list has space for it."""
        rect: QRect = option.rect  # type: ignore[attr-defined]
        view = self.parent().viewport().height()  # type: ignore[attr-defined]  # The list.
        height = max(rect.height() - 4, min(_EDITOR_HEIGHT, view - 4))
        top = max(2, min(rect.top() + 2, view - height - 2))
        editor.setGeometry(rect.left() - 2, top, rect.width() - 6, height)

    def eventFilter(self, editor: QObject, event: QEvent) -> bool:
        """Enter keeps the caption, Shift+Enter breaks its line, Tab continues in the next row.

        The editor stays while another window is in front: it would be closed by a dialog that gives
        the focus back to it, where the window system tells of the dialog's later.
        """
        is_window = isinstance(event, QFocusEvent) and (
            event.reason() == Qt.FocusReason.ActiveWindowFocusReason
        )
        if is_window and event.type() == QEvent.Type.FocusOut:
            return False
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            is_shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            match event.key():
                case Qt.Key.Key_Return | Qt.Key.Key_Enter if not is_shifted:
                    self._finish(editor)
                    return True
                case Qt.Key.Key_Tab | Qt.Key.Key_Backtab:
                    self._finish(editor)
                    self.neighbour_asked.emit(-1 if event.key() == Qt.Key.Key_Backtab else 1)
                    return True
        return super().eventFilter(editor, event)

    def _finish(self, editor: QObject) -> None:
        assert isinstance(editor, QWidget)
        self.commitData.emit(editor)
        self.closeEditor.emit(editor, QAbstractItemDelegate.EndEditHint.NoHint)
