"""Tags, words or image sizes, the most frequent first, each with the number of images."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from core.workspace import Frequency
from gui.widgets.text_direction import elided, in_own_order, mirrored
from gui.widgets.theme import Theme

_PADDING = 8
_ADD_SIDE = 20

_Index = QModelIndex | QPersistentModelIndex


class _Rows(QAbstractListModel):
    """`add_name` is the tool tip of the button that adds a value, "" without one."""

    def __init__(self, parent: QListView):
        super().__init__(parent)
        self.values: Sequence[Frequency] = ()

    def set_values(self, values: Sequence[Frequency]) -> None:
        self.beginResetModel()
        self.values = values
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.values)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        value = self.values[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return value.shown
            case Qt.ItemDataRole.AccessibleTextRole:
                return self.tr("{value}: {count}").format(
                    value=value.shown, count=f"{value.count:,}"
                )
            case Qt.ItemDataRole.ToolTipRole:
                return value.shown
        return None


class _Cell(QStyledItemDelegate):
    """A row: a bar as long as the value is frequent, its text, a plus where it can be added, and
    the count."""

    def __init__(self, theme: Theme, parent: FrequencyList):
        super().__init__(parent)
        self._theme, self._list = theme, parent

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        height: int = option.fontMetrics.height()  # type: ignore[attr-defined]
        return QSize(0, max(height + 6, _ADD_SIDE + 2))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        values = self._list.values
        value = values[index.row()]
        is_under_pointer = bool(state & QStyle.StateFlag.State_MouseOver)
        is_current = index.row() == self._list.currentIndex().row() and self._list.hasFocus()
        is_right_to_left = painter.layoutDirection() == Qt.LayoutDirection.RightToLeft
        painter.save()
        painter.setFont(option.font)  # type: ignore[attr-defined]
        if is_under_pointer or is_current:
            painter.fillRect(rect, self._theme.colour("raised"))
        bar = QRect(rect)
        bar.setWidth(round(rect.width() * value.count / values[0].count))
        if is_right_to_left:
            bar.moveRight(rect.right())
        is_found = value.value == self._list.found
        bar.setTop(rect.bottom() - 1)
        painter.fillRect(bar, self._theme.colour("accent" if is_found else "border"))
        self._paint_text(painter, rect, value, is_found, is_under_pointer or is_current)
        if is_current:
            painter.setPen(self._theme.colour("accent"))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
        painter.restore()

    def _paint_text(
        self, painter: QPainter, rect: QRect, value: Frequency, is_found: bool, is_chosen: bool
    ) -> None:
        theme, metrics = self._theme, painter.fontMetrics()
        count = f"{value.count:,}"
        inner = rect.adjusted(_PADDING, 0, -_PADDING, 0)
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(theme.colour("text_quiet"))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | vertical, count)
        right = inner.right() - metrics.horizontalAdvance(count) - _PADDING
        if self._list.can_add and is_chosen:
            self._paint_plus(painter, mirrored(add_rect(rect, right), rect, painter))
        right -= _ADD_SIDE if self._list.can_add else 0
        text_rect = QRect(inner.left(), inner.top(), max(right - inner.left(), 0), inner.height())
        text_rect = mirrored(text_rect, rect, painter)
        painter.setPen(theme.colour("accent" if is_found else "text"))
        text = elided(
            metrics, in_own_order(value.shown), Qt.TextElideMode.ElideRight, text_rect.width()
        )
        painter.drawText(text_rect, Qt.AlignmentFlag.AlignLeft | vertical, text)

    def _paint_plus(self, painter: QPainter, rect: QRect) -> None:
        painter.setPen(self._theme.colour("accent"))
        centre, arm = rect.center(), 5
        painter.drawLine(centre - QPoint(arm, 0), centre + QPoint(arm, 0))
        painter.drawLine(centre - QPoint(0, arm), centre + QPoint(0, arm))
        painter.drawRoundedRect(rect.adjusted(1, 1, -2, -2), 4, 4)


def add_rect(row: QRect, right: int) -> QRect:
    """Returns where the plus of a row is, which ends at `right`, from left to right."""
    top = row.center().y() - _ADD_SIDE // 2 + 1
    return QRect(right - _ADD_SIDE, top, _ADD_SIDE, _ADD_SIDE)


class FrequencyList(QListView):
    """`chosen(str, bool)`: images with a value are wanted, only those of the images listed if the
    flag is set. `added(str)`: a value is to be added to the selected images.

    A click or Enter chooses, with Ctrl among those listed; the plus of a row, or its key, adds.
    """

    chosen = Signal(str, bool)
    added = Signal(str)

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("frequency_list")
        self.can_add = False
        self.found = ""
        self._theme, self._empty_text = theme, ""
        self._rows = _Rows(self)
        self.setModel(self._rows)
        self.setItemDelegate(_Cell(theme, self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    @property
    def values(self) -> Sequence[Frequency]:
        """What is listed."""
        return self._rows.values

    def show_empty_text(self, text: str) -> None:
        """Shows this where nothing is listed."""
        if text != self._empty_text:
            self._empty_text = text
            self.setAccessibleDescription(text)
            self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._empty_text and not self.values:
            with QPainter(self.viewport()) as painter:
                painter.setPen(self._theme.colour("text_quiet"))
                inside = self.viewport().rect().adjusted(_PADDING, _PADDING, -_PADDING, -_PADDING)
                painter.drawText(inside, Qt.AlignmentFlag.AlignCenter, self._empty_text)

    def show_values(self, values: Sequence[Frequency], *, can_add: bool, found: str) -> None:
        """Lists these values. `found` is the one that the images listed were searched for."""
        was_changed = (can_add, found) != (self.can_add, self.found)
        self.can_add, self.found = can_add, found
        if values != self._rows.values:
            current = self.currentIndex().row()
            name = self.values[current].value if 0 <= current < len(self.values) else ""
            self._rows.set_values(values)
            rows = {value.value: row for row, value in enumerate(values)}
            if name in rows:
                self.setCurrentIndex(self._rows.index(rows[name], 0))
        elif was_changed:
            self.viewport().update()

    def place_of_plus(self, row: int) -> QRect:
        """Returns where the plus of a row is."""
        rect = self.visualRect(self._rows.index(row, 0))
        count = self.fontMetrics().horizontalAdvance(f"{self.values[row].count:,}")
        place = add_rect(rect, rect.right() - count - 2 * _PADDING)
        return QStyle.visualRect(self.layoutDirection(), rect, place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        row = self.indexAt(at).row()
        if event.button() != Qt.MouseButton.LeftButton or row < 0:
            return
        if self.can_add and self.place_of_plus(row).contains(at):
            self.added.emit(self.values[row].value)
        else:
            is_among = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.chosen.emit(self.values[row].value, is_among)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentIndex().row()
        if row < 0 and self.values and event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.setCurrentIndex(self._rows.index(0, 0))
        elif row >= 0 and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            is_among = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            self.chosen.emit(self.values[row].value, is_among)
        elif row >= 0 and self.can_add and event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Insert):
            self.added.emit(self.values[row].value)
        else:
            super().keyPressEvent(event)
