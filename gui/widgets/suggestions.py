"""A list of suggestions below a field, chosen by mouse or key while the field keeps the focus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    QStringListModel,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QHideEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gui.widgets.text_direction import elided, mirrored
from gui.widgets.theme import Theme

_MOST_ROWS = 8
_LEAST_WIDTH = 200
_PADDING = 8
_FRAME = 5

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Suggestion:
    """A text, and what is said of it at the end of its row."""

    text: str
    detail: str = ""


class _Cell(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: Suggestions):
        super().__init__(parent)
        self._theme, self._list = theme, parent

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(0, option.fontMetrics.height() + _PADDING)  # type: ignore[attr-defined]

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        offered = self._list.offered[index.row()]
        painter.save()
        painter.setFont(option.font)  # type: ignore[attr-defined]
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.fillRect(rect, self._theme.colour("accent_soft"))
        metrics = painter.fontMetrics()
        inner = rect.adjusted(_PADDING, 0, -_PADDING, 0)
        detail = metrics.horizontalAdvance(offered.detail)
        vertical = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(self._theme.colour("text_quiet"))
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | vertical, offered.detail)
        room = inner.width() - detail - (_PADDING if detail else 0)
        painter.setPen(self._theme.colour("text"))
        text = elided(metrics, offered.text, Qt.TextElideMode.ElideMiddle, room)
        left = mirrored(QRect(inner.left(), inner.top(), room, inner.height()), inner, painter)
        painter.drawText(left, Qt.AlignmentFlag.AlignLeft | vertical, text)
        painter.restore()


class Suggestions(QListView):
    """`chosen(int)`: the suggestion in this place was clicked, or Enter or Tab pressed on it.
    `wanted()`: the down key was pressed while nothing was suggested. `hidden()`: nothing is
    suggested any more.

    A child of the field's window rather than a window of its own, so that the field keeps the
    focus, and whoever types is never interrupted. None is current until the person moves to it: a
    plain Enter is the field's.
    """

    chosen = Signal(int)
    wanted = Signal()
    hidden = Signal()

    def __init__(self, theme: Theme, field: QWidget, name: str):
        super().__init__()
        self.setObjectName("suggestions")
        self.setAccessibleName(name)
        self.offered: Sequence[Suggestion] = ()
        self._field = field
        self._model = QStringListModel(self)
        self.setModel(self._model)
        self.setItemDelegate(_Cell(theme, self))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.hide()
        self.clicked.connect(self._on_clicked)
        field.installEventFilter(self)
        field.destroyed.connect(self.deleteLater)

    def offer(self, offered: Sequence[Suggestion]) -> None:
        """Suggests these; none hides the list. Without the focus in the field it stays hidden."""
        if not offered or not self._field.hasFocus():
            self.hide()
            return
        self.offered = offered
        self._model.setStringList([one.text for one in offered])
        self.setCurrentIndex(QModelIndex())
        window = self._field.window()
        if self.parent() is not window:
            self.setParent(window)
        self._place()
        self.scrollToTop()
        self.show()
        self.raise_()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.hidden.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Takes the keys that move in the list, before the field and the window's shortcuts."""
        kind = event.type()
        if kind in (QEvent.Type.FocusOut, QEvent.Type.Hide):
            self.hide()
        elif kind == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if self.isVisible() and event.key() == Qt.Key.Key_Escape:
                event.accept()
                return True
        elif kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._takes(event)
        return False

    def _takes(self, event: QKeyEvent) -> bool:
        key = event.key()
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        if not self.isVisible():
            if key == Qt.Key.Key_Down:
                self.wanted.emit()
            return key == Qt.Key.Key_Down
        row = self.currentIndex().row()
        match key:
            case Qt.Key.Key_Down | Qt.Key.Key_Up:
                step = 1 if key == Qt.Key.Key_Down else -1
                self._go_to(row + step if row >= 0 or step > 0 else len(self.offered) - 1)
            case Qt.Key.Key_PageDown | Qt.Key.Key_PageUp:
                step = _MOST_ROWS if key == Qt.Key.Key_PageDown else -_MOST_ROWS
                self._go_to(min(max(row + step, 0), len(self.offered) - 1))
            case Qt.Key.Key_Escape:
                self.hide()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Tab if row >= 0:
                self._choose(row)
            case _:
                return False
        return True

    def _go_to(self, row: int) -> None:
        """Moves to a row; beyond the ends none is current, so that the field's text is meant."""
        is_inside = 0 <= row < len(self.offered)
        index = self._model.index(row, 0) if is_inside else QModelIndex()
        self.setCurrentIndex(index)
        if is_inside:
            self.scrollTo(index)

    def _choose(self, row: int) -> None:
        self.hide()
        self.chosen.emit(row)

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        self._choose(index.row())

    def _place(self) -> None:
        """Below the field, or above it where there is more room."""
        window, field = self._field.window(), self._field
        at = field.mapTo(window, QPoint(0, 0))
        row = self.sizeHintForRow(0)
        height = row * min(len(self.offered), _MOST_ROWS) + 2 * _FRAME
        below = window.height() - (at.y() + field.height())
        is_above = below < height and at.y() > below
        height = min(height, at.y() if is_above else below)
        width = min(max(field.width(), _LEAST_WIDTH), window.width())
        left = min(max(at.x(), 0), window.width() - width)
        top = at.y() - height if is_above else at.y() + field.height()
        self.setGeometry(left, top, width, height)
