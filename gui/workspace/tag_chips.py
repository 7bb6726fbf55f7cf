"""The tags of a caption as chips: moved, renamed and removed by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QDrag,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from core.spelling import spans_of_words
from core.workspace import TagList
from gui.widgets.theme import Theme

_SPACING = 3
_PADDING = 8
_CROSS = 18
_CORNER = 6
_ROW = "application/x-onlooker-tag"

_Index = QModelIndex | QPersistentModelIndex


class _Tags(QAbstractListModel):
    """`renamed(int, str)`: a tag is to have another text."""

    renamed = Signal(int, str)

    def __init__(self, parent: QListView):
        super().__init__(parent)
        self.tags: tuple[str, ...] = ()

    def set_tags(self, tags: tuple[str, ...]) -> None:
        self.beginResetModel()
        self.tags = tags
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.tags)

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flag = Qt.ItemFlag
        return super().flags(index) | flag.ItemIsEditable | flag.ItemIsDragEnabled

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        shown = (
            Qt.ItemDataRole.DisplayRole,
            Qt.ItemDataRole.EditRole,
            Qt.ItemDataRole.ToolTipRole,
        )
        return self.tags[index.row()] if role in shown else None

    def setData(self, index: _Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        text = " ".join(str(value).split())
        if text != self.tags[index.row()]:
            self.renamed.emit(index.row(), text)
        return True

    def mimeData(self, indexes: object) -> QMimeData:
        rows = sorted(index.row() for index in indexes)  # type: ignore[attr-defined]
        data = QMimeData()
        data.setText(", ".join(self.tags[row] for row in rows))
        data.setData(_ROW, str(rows[0] if rows else -1).encode())
        return data


class _Chip(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: TagChips):
        super().__init__(parent)
        self._theme, self._list = theme, parent

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        metrics = self._list.fontMetrics()
        text = metrics.horizontalAdvance(str(index.data()))
        widest = max(self._list.viewport().width() - 2 * _SPACING - 2, 60)
        width = min(text + 2 * _PADDING + _CROSS, widest)
        return QSize(width, metrics.height() + 8)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        rect = QRect(option.rect)  # type: ignore[attr-defined]
        rect.setWidth(max(rect.width(), 120))
        rect.moveRight(min(rect.right(), self._list.viewport().width() - 2))
        editor.setGeometry(rect)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        theme = self._theme
        is_selected = bool(state & QStyle.StateFlag.State_Selected)
        has_focus = self._list.hasFocus() and index.row() == self._list.currentIndex().row()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._list.font())
        chosen = is_selected and self._list.hasFocus()
        painter.setBrush(theme.colour("accent_soft" if chosen else "raised"))
        painter.setPen(theme.colour("accent" if has_focus else "border_strong"))
        painter.drawRoundedRect(rect.adjusted(1, 1, -2, -2), _CORNER, _CORNER)
        if has_focus:
            painter.drawRoundedRect(rect.adjusted(2, 2, -3, -3), _CORNER - 1, _CORNER - 1)
        cross = cross_rect(rect, option.direction)  # type: ignore[attr-defined]
        inner = rect.adjusted(_PADDING, 0, -_PADDING, 0)
        if cross.center().x() > rect.center().x():
            inner.setRight(cross.left())
        else:
            inner.setLeft(cross.right())
        painter.setPen(theme.colour("text"))
        text = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, inner.width()
        )
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, text)
        if self._list.is_wrong(str(index.data())):
            width = min(painter.fontMetrics().horizontalAdvance(text), inner.width())
            below = inner.center().y() + painter.fontMetrics().height() // 2
            is_mirrored = option.direction == Qt.LayoutDirection.RightToLeft  # type: ignore[attr-defined]
            _paint_wave(
                painter, theme, inner.right() - width if is_mirrored else inner.left(), below, width
            )
        is_near = state & QStyle.StateFlag.State_MouseOver
        painter.setPen(theme.colour("text" if is_near or has_focus else "text_quiet"))
        centre, arm = cross.center(), 3
        painter.drawLine(centre - QPoint(arm, arm), centre + QPoint(arm, arm))
        painter.drawLine(centre - QPoint(arm, -arm), centre + QPoint(arm, -arm))
        painter.restore()


def _paint_wave(painter: QPainter, theme: Theme, left: int, y: int, width: int) -> None:
    painter.setPen(theme.colour("danger"))
    wave = [QPoint(left + x, y - (x // 2) % 2 * 2) for x in range(0, width + 1, 2)]
    painter.drawPolyline(wave)


def cross_rect(chip: QRect, direction: Qt.LayoutDirection) -> QRect:
    """Returns where the cross of a chip is."""
    is_mirrored = direction == Qt.LayoutDirection.RightToLeft
    left = chip.left() + 3 if is_mirrored else chip.right() - _CROSS - 3
    return QRect(left, chip.top(), _CROSS, chip.height())


class TagChips(QListView):
    """`changed(TagList)`: the tags are to be others. `typed(str)`: a letter was typed here, which
    begins another tag. `left()`: the tags after the last one are meant.

    Delete removes what is selected, F2 or Enter renames, Alt and the arrows move.
    """

    changed = Signal(object)
    typed = Signal(str)
    left = Signal()

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("tag_chips")
        self.setAccessibleName(self.tr("Tags"))
        self._theme = theme
        self.tags = TagList()
        self._drop_at = -1
        self._wrong: frozenset[str] = frozenset()
        self._rows = _Tags(self)
        self.setModel(self._rows)
        self.setItemDelegate(_Chip(theme, self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSpacing(_SPACING)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        # Queued: the view closes the field of the chip before the chips are others.
        self._rows.renamed.connect(self._on_renamed, Qt.ConnectionType.QueuedConnection)

    def show_tags(self, tags: TagList) -> None:
        """Shows these tags; the current one stays so by its place."""
        if tags.tags != self.tags.tags:
            row = self.currentIndex().row()
            self._rows.set_tags(tags.tags)
            if row >= 0 and tags.tags:
                self._go_to(min(row, len(tags.tags) - 1))
        self.tags = tags

    def show_wrong(self, words: Iterable[str]) -> None:
        """Marks the tags in which these words are, as written wrong."""
        wrong = frozenset(words)
        if wrong != self._wrong:
            self._wrong = wrong
            self.viewport().update()

    def is_wrong(self, tag: str) -> bool:
        """Whether a word of a tag is written wrong."""
        return bool(self._wrong) and any(tag[a:b] in self._wrong for a, b in spans_of_words(tag))

    def focus_last(self) -> None:
        """Makes the last tag the current one, which a second Backspace removes."""
        if self.tags.tags:
            self.setFocus()
            self._go_to(len(self.tags.tags) - 1)

    def place_of_cross(self, row: int) -> QRect:
        """Returns where the cross of a chip is."""
        return cross_rect(self.visualRect(self._rows.index(row, 0)), self.layoutDirection())

    def event(self, event: QEvent) -> bool:
        """Takes the keys for tags before the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence.StandardKey
            is_own = any(map(event.matches, (keys.Copy, keys.Paste, keys.SelectAll, keys.Delete)))
            is_move = event.modifiers() == Qt.KeyboardModifier.AltModifier
            arrows = (Qt.Key.Key_Left, Qt.Key.Key_Right)
            if is_own or (is_move and event.key() in arrows):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys, key = QKeySequence.StandardKey, event.key()
        row, count = self.currentIndex().row(), len(self.tags.tags)
        is_alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        if event.matches(keys.Copy):
            QGuiApplication.clipboard().setText(", ".join(self._chosen))
        elif event.matches(keys.Paste):
            self._add(QGuiApplication.clipboard().text())
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._remove()
        elif is_alt and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            to = row + (1 if key == Qt.Key.Key_Right else -1)
            if row >= 0 and 0 <= to < count:
                self._move(row, to)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self.edit(self.currentIndex())
        elif key == Qt.Key.Key_Right and row == count - 1 and not event.modifiers():
            self.left.emit()
        elif event.text().isprintable() and event.text().strip() and not is_alt:
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        row = self.indexAt(at).row()
        is_left = event.button() == Qt.MouseButton.LeftButton
        if is_left and row >= 0 and self.place_of_cross(row).contains(at):
            self._change(self.tags.kept(lambda place, _: place != row))

    def startDrag(self, supported: Qt.DropAction) -> None:
        drag = QDrag(self)
        drag.setMimeData(self._rows.mimeData([self.currentIndex()]))
        drag.exec(Qt.DropAction.MoveAction | Qt.DropAction.CopyAction)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.dragMoveEvent(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Shows where the tag would go; images dropped here are the window's."""
        if event.mimeData().hasFormat(_ROW):
            self._drop_at = self._place_at(event.position().toPoint())
            self.viewport().update()
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_at = -1
        self.viewport().update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_at = -1
        self.viewport().update()
        if not event.mimeData().hasFormat(_ROW):
            event.ignore()
            return
        row = int(bytes(event.mimeData().data(_ROW).data()))
        to = self._place_at(event.position().toPoint())
        event.acceptProposedAction()
        if 0 <= row < len(self.tags.tags) and to not in (row, row + 1):
            self._move(row, to - (to > row))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._drop_at < 0 or not self.tags.tags:
            return
        is_end = self._drop_at == len(self.tags.tags)
        rect = self.visualRect(self._rows.index(self._drop_at - is_end, 0))
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        left = rect.right() + 1 if is_end != is_mirrored else rect.left() - _SPACING + 1
        line = QRect(left, rect.top(), 2, rect.height())
        QPainter(self.viewport()).fillRect(line, self._theme.colour("accent"))

    @property
    def _chosen(self) -> list[str]:
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self.tags.tags[row] for row in rows]

    def _place_at(self, at: QPoint) -> int:
        """Returns before which tag something dropped here goes."""
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        for row in range(len(self.tags.tags)):
            rect = self.visualRect(self._rows.index(row, 0))
            is_before = at.x() > rect.center().x() if is_mirrored else at.x() < rect.center().x()
            if at.y() < rect.top() or (at.y() <= rect.bottom() and is_before):
                return row
        return len(self.tags.tags)

    def _add(self, text: str) -> None:
        self._change(self.tags.with_added(TagList.of(text).tags))

    def _remove(self) -> None:
        rows = {index.row() for index in self.selectionModel().selectedIndexes()}
        if rows:
            self._change(self.tags.kept(lambda place, _: place not in rows))

    def _move(self, row: int, to: int) -> None:
        self._change(self.tags.moved(row, to))
        self._go_to(to)

    @Slot(int, str)
    def _on_renamed(self, row: int, text: str) -> None:
        self._change(self.tags.with_tag(row, text))

    def _go_to(self, row: int) -> None:
        self.setCurrentIndex(self._rows.index(row, 0))

    def _change(self, tags: TagList) -> None:
        if tags != self.tags:
            self.changed.emit(tags)
