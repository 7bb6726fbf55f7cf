"""How a list of tags is kept and painted as chips: a model of them, and a delegate."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gui.widgets.text_direction import elided
from gui.widgets.theme import Theme

SPACING = 3
CHIP_MARGIN = 8
"""By how much a chip is higher than its text, in pixels."""
ROW_TYPE = "application/x-onlooker-tag"
"""What is dragged has the place of a tag under this type."""
_PADDING = 8
_CROSS = 18
_CORNER = 6

_Index = QModelIndex | QPersistentModelIndex


class TagRows(QAbstractListModel):
    """The tags as rows. `renamed(int, str)`: a tag is to have another text."""

    renamed = Signal(int, str)

    def __init__(self, parent: QListView):
        super().__init__(parent)
        self.tags: tuple[str, ...] = ()

    def set_tags(self, tags: tuple[str, ...]) -> None:
        """Shows other tags."""
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
        data.setData(ROW_TYPE, str(rows[0] if rows else -1).encode())
        return data


class Chip(QStyledItemDelegate):
    """Paints a tag with a cross that removes it, and a wave below it if `is_wrong` says so.
    `typed(str)`: what a tag is to be instead, as far as it is written."""

    typed = Signal(str)

    def __init__(self, theme: Theme, is_wrong: Callable[[str], bool], parent: QListView):
        super().__init__(parent)
        self._theme, self._is_wrong, self._list = theme, is_wrong, parent

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        metrics = self._list.fontMetrics()
        text = metrics.horizontalAdvance(str(index.data()))
        widest = max(self._list.viewport().width() - 2 * SPACING - 2, 60)
        width = min(text + 2 * _PADDING + _CROSS, widest)
        return QSize(width, metrics.height() + CHIP_MARGIN)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = super().createEditor(parent, option, index)
        if isinstance(editor, QLineEdit):
            editor.textEdited.connect(self.typed)
        return editor

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
        mode = Qt.TextElideMode.ElideRight
        text = elided(painter.fontMetrics(), str(index.data()), mode, inner.width())
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter, text)
        if self._is_wrong(str(index.data())):
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
