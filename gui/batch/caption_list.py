"""The rows of a folder run: thumbnail and name, state, a caption that is edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QObject,
    QPoint,
    QPointF,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QFont,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QMenu,
    QPlainTextEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from core.batch import Item, ItemState, Replaced, Span
from gui.batch.rows import CAPTION, DOUBT, PICTURE, STATE, THUMBNAIL_SIDE, BatchModel, Index
from gui.widgets.doubt_pen import doubt_pen
from gui.widgets.theme import Theme

_ROW_HEIGHT = 56
_EDITOR_HEIGHT = 92
_GAP = 6
_STATE_WIDTH = 84
_DOUBT_WIDTH = 100
# Of the whole; a long name is shortened in its middle.
_NAME_SHARE = 0.28
_NAME_WIDTHS = (200, 280)
# A replacement that would be out of sight is brought into it, with this much before it.
_LEAD = 24
_THIN_SPACE = "\u2009"

Spans = Sequence[tuple[Span, QTextCharFormat]]


class BatchList(QTableView):
    """Rows to read, to edit with F2 or a double click, to open with Enter.

    `opened(Path)`: the picture of a row is to be shown. `place_asked(Path)`: its file, in the
    file manager.
    """

    opened = Signal(Path)
    place_asked = Signal(Path)

    def __init__(self, theme: Theme, model: BatchModel, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_list")
        self.setAccessibleName("Images of the folder run")
        self._rows = model
        self._theme = theme
        self._emptiness = ""
        self._current = -1
        self._scrolled = 0
        self.setModel(model)
        model.setParent(self)
        caption_cell = _CaptionCell(theme, self)
        self.setItemDelegateForColumn(PICTURE, _PictureCell(theme, self))
        self.setItemDelegateForColumn(STATE, _StateCell(theme, self))
        self.setItemDelegateForColumn(CAPTION, caption_cell)
        self.setItemDelegateForColumn(DOUBT, _DoubtCell(theme, self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(2 * _ROW_HEIGHT)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.resizeSection(STATE, _STATE_WIDTH)
        header.resizeSection(DOUBT, _DOUBT_WIDTH)
        # Before the caption, which takes the room that is left.
        header.moveSection(DOUBT, CAPTION)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_header_clicked)
        self.setColumnHidden(DOUBT, True)
        self._build_menu()
        model.modelAboutToBeReset.connect(self._on_about_to_be_reset)
        model.modelReset.connect(self._on_reset)
        model.doubt_shown.connect(self._on_doubt_shown)
        caption_cell.begun.connect(self._on_edit_begun)
        caption_cell.neighbour_asked.connect(self._on_neighbour_asked)

    def show_emptiness(self, text: str) -> None:
        """What to say where there are no rows."""
        if text != self._emptiness:
            self._emptiness = text
            self.viewport().update()

    def finish_editing(self) -> None:
        """Take what is being written, as if Enter had been pressed."""
        editor = self.findChild(CaptionEdit)
        if self.state() == QAbstractItemView.State.EditingState and editor:
            self.commitData(editor)
            self.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        self._rows.hold(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._rows.rowCount() == 0 and self._emptiness:
            with QPainter(self.viewport()) as painter:
                painter.setPen(self._theme.colour("text_quiet"))
                inside = self.viewport().rect().adjusted(24, 8, -24, -8)
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(inside, int(flags), self._emptiness)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.matches(QKeySequence.StandardKey.Copy) and index.isValid():
            self._copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self._open()
        elif event.key() == Qt.Key.Key_F2 and index.isValid():
            self._edit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # By the menu's key it is meant for the current row, wherever the pointer is.
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        place = self.viewport().mapFromGlobal(event.globalPos())
        index = self.currentIndex() if is_by_key else self.indexAt(place)
        if not index.isValid():
            return
        self.setCurrentIndex(index)
        caption = self._rows.index(index.row(), CAPTION)
        self.edit_action.setEnabled(bool(self._rows.flags(caption) & Qt.ItemFlag.ItemIsEditable))
        self.copy_action.setEnabled(bool(self._rows.item(index).caption))
        below = self.visualRect(index).bottomLeft() + QPoint(_GAP, 0)
        self.menu.popup(self.viewport().mapToGlobal(below) if is_by_key else event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow, wide = _NAME_WIDTHS
        width = round(self.viewport().width() * _NAME_SHARE)
        self.horizontalHeader().resizeSection(PICTURE, max(narrow, min(wide, width)))

    def _build_menu(self) -> None:
        self.menu = QMenu(self)
        acts = (
            ("&Look at it", "Return", self._open),
            ("&Edit caption", "F2", self._edit),
            ("&Copy caption", "Ctrl+C", self._copy),
            ("Show in &folder", "", self._ask_place),
        )
        actions = []
        for words, key, act in acts:
            action = QAction(words, self.menu)
            # Only told: `keyPressEvent` hears it, and so an editor keeps its own.
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.setShortcutVisibleInContextMenu(True)
            action.triggered.connect(act)
            self.menu.addAction(action)
            actions.append(action)
        self.open_action, self.edit_action, self.copy_action, self.place_action = actions
        self.sort_action = QAction("&Sort by doubt", self.menu)
        self.sort_action.setCheckable(True)
        self.sort_action.setVisible(False)
        self.sort_action.triggered.connect(self._sort_by_doubt)
        self.menu.addAction(self.sort_action)

    @Slot()
    def _open(self) -> None:
        self.opened.emit(self._rows.item(self.currentIndex()).path)

    @Slot()
    def _edit(self) -> None:
        self.edit(self._rows.index(self.currentIndex().row(), CAPTION))

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._rows.item(self.currentIndex()).caption)

    @Slot()
    def _ask_place(self) -> None:
        self.place_asked.emit(self._rows.item(self.currentIndex()).path)

    @Slot(bool)
    def _on_doubt_shown(self, is_shown: bool) -> None:
        self.setColumnHidden(DOUBT, not is_shown)
        self.sort_action.setVisible(is_shown)
        self._sort_by_doubt(self._rows.sorts_by_doubt)

    @Slot(int)
    def _on_header_clicked(self, section: int) -> None:
        if section == DOUBT:
            self._sort_by_doubt(not self._rows.sorts_by_doubt)

    @Slot(bool)
    def _sort_by_doubt(self, sorts: bool) -> None:
        if sorts != self._rows.sorts_by_doubt:
            self._rows.sort_by_doubt(sorts)
            self.scrollToTop()
        self.sort_action.setChecked(sorts)
        header = self.horizontalHeader()
        header.setSortIndicator(DOUBT, Qt.SortOrder.DescendingOrder)
        header.setSortIndicatorShown(sorts)

    @Slot()
    def _on_about_to_be_reset(self) -> None:
        self._current = self._rows.number(self.currentIndex())
        self._scrolled = self.verticalScrollBar().value()

    @Slot()
    def _on_reset(self) -> None:
        """A filter that is applied again leaves the reader where he was."""
        row = self._rows.row(self._current)
        if row is not None:
            self.setCurrentIndex(self._rows.index(row, PICTURE))
        self.verticalScrollBar().setValue(self._scrolled)

    @Slot()
    def _on_edit_begun(self) -> None:
        self._rows.hold(True)

    @Slot(int)
    def _on_neighbour_asked(self, step: int) -> None:
        """Go on writing in the row below or above."""
        row = self.currentIndex().row() + step
        if 0 <= row < self._rows.rowCount():
            self.setCurrentIndex(self._rows.index(row, PICTURE))
            if self._rows.flags(self._rows.index(row, CAPTION)) & Qt.ItemFlag.ItemIsEditable:
                self._edit()


class CaptionEdit(QPlainTextEdit):
    """A caption, which may have several lines."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("caption_edit")
        self.setAccessibleName("Caption")


class _Cell(QStyledItemDelegate):
    """Paints the ground of a row; the cells below paint what stands on it."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, _ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, self._theme.colour("accent_soft"))
        painter.setPen(self._theme.colour("border"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.setFont(option.font)  # type: ignore[attr-defined]
        self._paint_inside(painter, rect, index)
        painter.restore()

    def _paint_inside(self, painter: QPainter, rect: QRect, index: Index) -> None:
        raise NotImplementedError

    def _item(self, index: Index) -> Item:
        return self._model(index).item(index)

    def _model(self, index: Index) -> BatchModel:
        model = index.model()
        assert isinstance(model, BatchModel)
        return model


class _PictureCell(_Cell):
    def _paint_inside(self, painter: QPainter, rect: QRect, index: Index) -> None:
        frame = QRect(
            rect.left() + 12,
            rect.top() + (rect.height() - THUMBNAIL_SIDE) // 2,
            THUMBNAIL_SIDE,
            THUMBNAIL_SIDE,
        )
        paint_thumbnail(painter, frame, index.data(Qt.ItemDataRole.DecorationRole), self._theme)
        text = rect.adjusted(12 + THUMBNAIL_SIDE + 10, 0, -_GAP, 0)
        # Ends tell more than middles. A second line is for what would lose much.
        metrics, name = painter.fontMetrics(), index.data()
        is_long = metrics.horizontalAdvance(name) > 1.3 * text.width()
        room = round(1.8 * text.width()) if is_long else text.width()
        name = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        paint_lines(painter, text, name, self._theme.colour("text"))


class _StateCell(_Cell):
    def _paint_inside(self, painter: QPainter, rect: QRect, index: Index) -> None:
        state = self._item(index).state
        tokens = {ItemState.FAILED: "danger", ItemState.WORKING: "accent", ItemState.DONE: "text"}
        painter.setPen(self._theme.colour(tokens.get(state, "text_quiet")))
        flag = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect.adjusted(_GAP, 0, 0, 0), flag, index.data())


class _DoubtCell(_Cell):
    """The most doubtful word, underlined as in an answer."""

    def _paint_inside(self, painter: QPainter, rect: QRect, index: Index) -> None:
        model = self._model(index)
        doubt = model.doubt(model.number(index))
        if doubt is None or not doubt.word:
            return
        metrics = painter.fontMetrics()
        room = rect.adjusted(_GAP, 0, -_GAP, 0)
        word = metrics.elidedText(doubt.word, Qt.TextElideMode.ElideRight, room.width())
        painter.setPen(self._theme.colour("text" if doubt.step else "text_quiet"))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, word)
        if doubt.step:
            pen = doubt_pen(self._theme, doubt.step)
            painter.setPen(pen)
            y = room.center().y() + metrics.height() // 2 + 2
            painter.drawLine(room.left(), y, room.left() + metrics.horizontalAdvance(word), y)


class _CaptionCell(_Cell):
    """At most the lines that a row has room for; the tool tip has all.

    `neighbour_asked(int)`: the caption below, 1, or above, -1, is to be written next.
    """

    begun = Signal()
    neighbour_asked = Signal(int)

    def _paint_inside(self, painter: QPainter, rect: QRect, index: Index) -> None:
        item, model = self._item(index), self._model(index)
        is_quiet = not item.caption and item.state is not ItemState.FAILED
        token = "text_quiet" if is_quiet else "text" if item.caption else "danger"
        replaced = model.replacement.of(item.caption) if model.replacement else None
        text, spans = (index.data(), []) if replaced is None else self._changes(replaced)
        inside = rect.adjusted(_GAP, 4, -12, -5)
        paint_lines(painter, inside, text, self._theme.colour(token), spans)

    def _changes(self, replaced: Replaced) -> tuple[str, Spans]:
        """What goes, struck out, with what comes in its place behind it."""
        gone, come = QTextCharFormat(), QTextCharFormat()
        gone.setFontStrikeOut(True)
        gone.setForeground(self._theme.colour("danger"))
        come.setForeground(self._theme.colour("accent"))
        come.setFontWeight(QFont.Weight.DemiBold)
        begin = max(0, replaced.spans_before[0][0] - _LEAD)
        text, spans, kept_to = "…" if begin else "", [], begin
        for (start, end), (new_start, new_end) in zip(
            replaced.spans_before, replaced.spans_after, strict=True
        ):
            text += replaced.before[kept_to:start]
            spans.append(((len(text), len(text) + end - start), gone))
            text += replaced.before[start:end] + _THIN_SPACE
            spans.append(((len(text), len(text) + new_end - new_start), come))
            text += replaced.after[new_start:new_end]
            kept_to = end
        return text + replaced.before[kept_to:], spans

    # Writing in place

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> QPlainTextEdit:
        self.begun.emit()
        return CaptionEdit(parent)

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        assert isinstance(editor, QPlainTextEdit)
        editor.setPlainText(index.data(Qt.ItemDataRole.EditRole))
        editor.moveCursor(QTextCursor.MoveOperation.End)

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        assert isinstance(editor, QPlainTextEdit)
        model.setData(index, editor.toPlainText())

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Higher than a row, where there is room for it."""
        rect: QRect = option.rect  # type: ignore[attr-defined]
        view = self.parent().viewport().height()  # type: ignore[attr-defined]  # The list.
        height = max(rect.height() - 4, min(_EDITOR_HEIGHT, view - 4))
        top = max(2, min(rect.top() + 2, view - height - 2))
        editor.setGeometry(rect.left() - 2, top, rect.width() - 6, height)

    def eventFilter(self, editor: QObject, event: QEvent) -> bool:
        """Enter keeps the caption, Shift+Enter breaks its line, Tab goes on to the next."""
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


def paint_thumbnail(painter: QPainter, frame: QRect, pixmap: object, theme: Theme) -> None:
    """The picture with round corners; a quiet ground while there is none."""
    shape = QPainterPath()
    shape.addRoundedRect(frame, 5, 5)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setClipPath(shape)
    if isinstance(pixmap, QPixmap) and not pixmap.isNull():
        painter.drawPixmap(frame, pixmap)
    else:
        painter.fillRect(frame, theme.colour("raised"))
    painter.restore()


def paint_lines(
    painter: QPainter, inside: QRect, text: str, colour: QColor, spans: Spans = ()
) -> None:
    """As many whole lines as there is room for, in the middle; the last one ends in an ellipsis."""
    line_height = painter.fontMetrics().lineSpacing()
    most = max(1, inside.height() // line_height)
    # A line's break is a blank here; no place in the text moves by it.
    layout = QTextLayout(text.replace("\n", " "), painter.font())
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout.setTextOption(option)
    layout.setFormats([_ranged(span, form) for span, form in spans])
    painter.setPen(colour)
    layout.beginLayout()
    lines = []
    while len(lines) < most and (line := layout.createLine()).isValid():
        line.setLineWidth(inside.width())
        lines.append(line)
    layout.endLayout()
    top = inside.top() + (inside.height() - line_height * len(lines)) / 2
    for place, line in enumerate(lines):
        is_cut = place == most - 1 and line.textStart() + line.textLength() < len(text)
        at = QPointF(inside.left(), top + place * line_height - line.y())
        if is_cut:
            rest = text[line.textStart() :].replace("\n", " ")
            metrics = painter.fontMetrics()
            elided = metrics.elidedText(rest[:600], Qt.TextElideMode.ElideRight, inside.width())
            base = QPointF(inside.left(), top + place * line_height + metrics.ascent())
            painter.drawText(base, elided)
        else:
            line.draw(painter, at)


def _ranged(span: Span, form: QTextCharFormat) -> QTextLayout.FormatRange:
    ranged = QTextLayout.FormatRange()
    ranged.start, ranged.length = span[0], span[1] - span[0]  # type: ignore[attr-defined]
    ranged.format = form  # type: ignore[attr-defined]
    return ranged
