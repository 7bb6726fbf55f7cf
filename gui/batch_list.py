"""The rows of a folder run: thumbnail and name, state, a caption that is edited in place."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from core.batch_plan import Item, ItemState
from gui.preview import PreviewMaker, thumbnail
from gui.theme import Theme

PICTURE, STATE, CAPTION = range(3)
THUMBNAIL_SIDE = 44
_ROW_HEIGHT = 56
_GAP = 6
_KEPT = 400
_FILTER_AGAIN_MS = 400

STATE_WORDS = {
    ItemState.WAITING: "Waiting",
    ItemState.WORKING: "Looking …",
    ItemState.DONE: "Done",
    ItemState.SKIPPED: "Skipped",
    ItemState.FAILED: "Failed",
    ItemState.UNDONE: "Undone",
}

_Index = QModelIndex | QPersistentModelIndex


class BatchModel(QAbstractTableModel):
    """The rows that a filter leaves of the run's items; numbers are the run's own.

    `edited(int, str)`: a person has written another caption; whoever keeps it calls `change`.
    Thumbnails are asked for when they are first painted and forgotten when there are many.
    """

    edited = Signal(int, str)
    counted = Signal(int)

    def __init__(self, previews: PreviewMaker, parent: QWidget):
        super().__init__(parent)
        self.items: list[Item] = []
        self._rows: list[int] = []
        self._places: dict[int, int] = {}
        self._state: ItemState | None = None
        self._words = ""
        self._can_edit = False
        self._ratio = parent.devicePixelRatioF()
        self._previews = previews
        self._thumbnails: dict[Path, QPixmap | None] = {}
        self._again = QTimer(self, interval=_FILTER_AGAIN_MS, singleShot=True)
        self._again.timeout.connect(self._filter)
        previews.made.connect(self._on_made)

    def replace(self, items: list[Item]) -> None:
        self.items = list(items)
        self._filter()

    def change(self, number: int, item: Item) -> None:
        if number >= len(self.items):
            return
        self.items[number] = item
        if (row := self._row(number)) is not None:
            self.dataChanged.emit(self.index(row, PICTURE), self.index(row, CAPTION))
        if (self._state or self._words) and not self._again.isActive():
            # Not at once: the row that somebody reads would vanish under the eyes.
            self._again.start()

    def choose(self, state: ItemState | None, words: str) -> None:
        """Leave only the rows in this state whose name, caption or reason has the words."""
        self._state, self._words = state, words.casefold().strip()
        self._filter()

    def let_edit(self, can_edit: bool) -> None:
        self._can_edit = can_edit

    def number(self, index: _Index) -> int:
        """The run's number of a row; -1 when there is none."""
        return self._rows[index.row()] if index.isValid() else -1

    def item(self, index: _Index) -> Item:
        return self.items[self._rows[index.row()]]

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else 3

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ("Image", "State", "Caption")[section]
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if index.column() == CAPTION and self._can_edit:
            is_free = self.item(index).state is not ItemState.WORKING
            flags |= Qt.ItemFlag.ItemIsEditable if is_free else Qt.ItemFlag.NoItemFlags
        return flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        item = self.item(index)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._text(item, index.column())
            case Qt.ItemDataRole.EditRole if index.column() == CAPTION:
                return item.caption
            case Qt.ItemDataRole.DecorationRole if index.column() == PICTURE:
                return self._thumbnail(item.path)
            case Qt.ItemDataRole.ToolTipRole:
                texts = (str(item.path), "", item.caption or item.reason)
                return texts[index.column()] or None
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._text(item, index.column())
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        caption = str(value).strip()
        if role != Qt.ItemDataRole.EditRole or caption == self.item(index).caption:
            return False
        self.edited.emit(self.number(index), caption)
        return True

    def _text(self, item: Item, column: int) -> str:
        match column:
            case 0:
                return item.path.name
            case 1:
                is_edited = item.is_edited and item.state is ItemState.DONE
                return "Edited" if is_edited else STATE_WORDS[item.state]
        return item.caption or item.reason

    def _row(self, number: int) -> int | None:
        return self._places.get(number)

    @Slot()
    def _filter(self) -> None:
        self.beginResetModel()
        state, words = self._state, self._words
        self._rows = [
            number
            for number, item in enumerate(self.items)
            if (state is None or item.state is state)
            and (not words or words in f"{item.path.name}\n{item.caption}{item.reason}".casefold())
        ]
        self._places = {number: row for row, number in enumerate(self._rows)}
        self.endResetModel()
        self.counted.emit(len(self._rows))

    def _thumbnail(self, path: Path) -> QPixmap | None:
        if path not in self._thumbnails:
            self._thumbnails[path] = None
            side = round(THUMBNAIL_SIDE * max(2.0, self._ratio))
            self._previews.ask(("batch", path), partial(thumbnail, path, side))
        return self._thumbnails[path]

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("batch", Path() as path) if path in self._thumbnails:
                self._thumbnails[path] = QPixmap.fromImage(image)
                while len(self._thumbnails) > _KEPT:
                    del self._thumbnails[next(iter(self._thumbnails))]
                if self._rows:
                    # Which row it is would be a search; Qt repaints only what is in sight.
                    last = self.index(len(self._rows) - 1, PICTURE)
                    role = [Qt.ItemDataRole.DecorationRole]
                    self.dataChanged.emit(self.index(0, PICTURE), last, role)


class BatchList(QTableView):
    """Rows to read, to edit with F2 or a double click, to open with Enter.

    `opened(Path)`: the picture of a row is to be shown.
    """

    opened = Signal(Path)

    def __init__(self, theme: Theme, model: BatchModel, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_list")
        self.setAccessibleName("Images of the folder run")
        self._rows = model
        self.setModel(model)
        model.setParent(self)
        self.setItemDelegateForColumn(PICTURE, _PictureCell(theme, self))
        self.setItemDelegateForColumn(STATE, _StateCell(theme, self))
        self.setItemDelegateForColumn(CAPTION, _CaptionCell(theme, self))
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.resizeSection(PICTURE, 240)
        header.resizeSection(STATE, 92)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        index = self.currentIndex()
        if is_enter and index.isValid():
            self.opened.emit(self._rows.item(index).path)
        elif event.key() == Qt.Key.Key_F2 and index.isValid():
            self.edit(self._rows.index(index.row(), CAPTION))
        else:
            super().keyPressEvent(event)


class _Cell(QStyledItemDelegate):
    """Paints the ground of a row; the cells below paint what stands on it."""

    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(80, _ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
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

    def _paint_inside(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        raise NotImplementedError

    def _item(self, index: _Index) -> Item:
        model = index.model()
        assert isinstance(model, BatchModel)
        return model.item(index)


class _PictureCell(_Cell):
    def _paint_inside(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        frame = QRect(
            rect.left() + 12,
            rect.top() + (rect.height() - THUMBNAIL_SIDE) // 2,
            THUMBNAIL_SIDE,
            THUMBNAIL_SIDE,
        )
        shape = QPainterPath()
        shape.addRoundedRect(frame, 5, 5)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipPath(shape)
        pixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if isinstance(pixmap, QPixmap) and not pixmap.isNull():
            painter.drawPixmap(frame, pixmap)
        else:
            painter.fillRect(frame, self._theme.colour("raised"))
        painter.restore()
        text = rect.adjusted(12 + THUMBNAIL_SIDE + 10, 0, -_GAP, 0)
        painter.setPen(self._theme.colour("text"))
        name = painter.fontMetrics().elidedText(
            index.data(), Qt.TextElideMode.ElideMiddle, text.width()
        )
        painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)


class _StateCell(_Cell):
    def _paint_inside(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        state = self._item(index).state
        tokens = {ItemState.FAILED: "danger", ItemState.WORKING: "accent", ItemState.DONE: "text"}
        painter.setPen(self._theme.colour(tokens.get(state, "text_quiet")))
        flag = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect.adjusted(_GAP, 0, 0, 0), flag, index.data())


class _CaptionCell(_Cell):
    """At most the lines that a row has room for; the tool tip has all."""

    def _paint_inside(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        item = self._item(index)
        is_quiet = not item.caption and item.state is not ItemState.FAILED
        token = "text_quiet" if is_quiet else "text" if item.caption else "danger"
        painter.setPen(self._theme.colour(token))
        inside = rect.adjusted(_GAP, 4, -12, -5)
        line = painter.fontMetrics().lineSpacing()
        lines = max(1, inside.height() // line)
        text = " ".join(str(index.data()).split())
        metrics = painter.fontMetrics()
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
        if metrics.horizontalAdvance(text) > inside.width() * lines:
            # A little less, as whole words never fill a line.
            width = inside.width() * lines - 60
            text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(60, width))
        painter.drawText(inside, flags, text)

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        editor.setGeometry(rect.adjusted(0, 8, -6, -8))
