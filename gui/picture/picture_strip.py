"""The strip of open pictures: thumbnails, with the current one marked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QItemSelectionModel,
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
    QColor,
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from gui.widgets.focus_ring import paint_focus
from gui.widgets.painting import paint_thumbnail
from gui.widgets.preview import PreviewMaker, thumbnail, unopened_text
from gui.widgets.theme import Theme

THUMBNAIL_SIDE = 48
_GAP = 4
_MARK = 2
_KEPT = 400
_BATCH = 2000

_Index = QModelIndex | QPersistentModelIndex


class PictureStrip(QListView):
    """Shows thumbnails, which are made when first painted. Hidden with fewer than two pictures.

    `picture_chosen(int)`: another picture is to be opened, by its index. `close_asked(int)`: one
    is to be taken out. `reveal_asked(Path)`: a file is to be shown in the file manager.
    `menu_asked(int, QPoint)`: the context menu of one is to open there, on the screen.
    """

    picture_chosen = Signal(int)
    close_asked = Signal(int)
    reveal_asked = Signal(Path)
    menu_asked = Signal(int, QPoint)

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("picture_strip")
        self.setAccessibleName(self.tr("Open images"))
        self._is_wanted = True
        self._paths: Sequence[Path] = ()
        self._shown = -1
        self._pictures = _Pictures(previews, self)
        self.setModel(self._pictures)
        self.setItemDelegate(_Thumbnail(theme, self))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setUniformItemSizes(True)
        # Laying out 100,000 pictures at once would block the GUI thread for 0.15 s.
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(_BATCH)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(THUMBNAIL_SIDE + 2 * (_GAP + _MARK))
        self.hide()
        self.clicked.connect(self._on_clicked)
        self._pictures.thumbnail_made.connect(self.viewport().update)
        theme.changed.connect(self.viewport().update)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            paint_focus(QPainter(self.viewport()), self.viewport())

    @property
    def count(self) -> int:
        """The number of pictures."""
        return len(self._paths)

    @property
    def current(self) -> int:
        """The index of the marked picture; -1 if there is none."""
        return self.currentIndex().row()

    def show_pictures(self, paths: Sequence[Path], current: int) -> None:
        """Shows the open pictures, and marks the one at index `current`."""
        self._paths, self._shown = paths, current
        self._update()

    def _update(self) -> None:
        """Lays the pictures out, which takes long for 100,000, where they are seen at all."""
        if not self._is_wanted:
            self.hide()
            return
        if self._paths is not self._pictures.paths:
            self._pictures.replace(self._paths)
        self.setVisible(self.count > 1)
        index = self._pictures.index(self._shown, 0)
        flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().setCurrentIndex(index, flag)
        if index.isValid():
            self.scrollTo(index)

    def set_wanted(self, is_wanted: bool) -> None:
        """Shows the strip, if there is something to choose, or hides it: another list is shown."""
        if is_wanted != self._is_wanted:
            self._is_wanted = is_wanted
            self._update()

    def choose(self, index: int) -> None:
        """Emits `picture_chosen` for another picture; it is marked once `show_pictures` follows."""
        if 0 <= index < self.count and index != self.current:
            self.picture_chosen.emit(index)

    def choose_next(self) -> None:
        """Chooses the picture to the right."""
        self.choose(self.current + 1)

    def choose_previous(self) -> None:
        """Chooses the picture to the left."""
        self.choose(self.current - 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Up:
                self.choose_previous()
            case Qt.Key.Key_Right | Qt.Key.Key_Down:
                self.choose_next()
            case Qt.Key.Key_Home:
                self.choose(0)
            case Qt.Key.Key_End:
                self.choose(self.count - 1)
            case _ if event.text().isprintable() and event.text().strip():
                event.ignore()  # There are no names to search: it is for the prompt.
            case _:
                super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The menu key means the current picture, wherever the pointer is.
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if is_by_key else self.indexAt(event.pos())
        if index.isValid():
            below = self.viewport().mapToGlobal(self.visualRect(index).bottomLeft())
            self.menu_asked.emit(index.row(), below if is_by_key else event.globalPos())

    def reveal(self, number: int) -> None:
        """Asks for a picture to be shown in the file manager."""
        self.reveal_asked.emit(self._pictures.paths[number])

    def wheelEvent(self, event: QWheelEvent) -> None:
        bar = self.horizontalScrollBar()
        delta = event.angleDelta()
        bar.setValue(bar.value() - (delta.x() or delta.y()) // 2)
        event.accept()

    @Slot(QModelIndex)
    def _on_clicked(self, index: QModelIndex) -> None:
        self.picture_chosen.emit(index.row())


class _Pictures(QAbstractListModel):
    """Requests thumbnails when they are first painted, and keeps the latest 400.

    `thumbnail_made()`: the strip is to be painted again. `dataChanged` would lay it all out again.
    """

    thumbnail_made = Signal()

    def __init__(self, previews: PreviewMaker, parent: QWidget):
        super().__init__(parent)
        self.paths: Sequence[Path] = ()
        self._ratio = parent.devicePixelRatioF()
        self._previews = previews
        self._thumbnails: dict[Path, QPixmap | None] = {}
        previews.made.connect(self._on_made)

    def replace(self, paths: Sequence[Path]) -> None:
        self.beginResetModel()
        self.paths = paths
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self.paths)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        path = self.paths[index.row()]
        match role:
            case Qt.ItemDataRole.DecorationRole:
                return self._thumbnail(path)
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return unopened_text(path.name) if self._is_broken(path) else path.name
        return None

    def _is_broken(self, path: Path) -> bool:
        pixmap = self._thumbnails.get(path)
        return pixmap is not None and pixmap.isNull()

    def _thumbnail(self, path: Path) -> QPixmap | None:
        if path not in self._thumbnails:
            self._thumbnails[path] = None
            side = round(THUMBNAIL_SIDE * max(2.0, self._ratio))
            self._previews.ask(("strip", path), partial(thumbnail, path, side))
        return self._thumbnails[path]

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("strip", Path() as path) if path in self._thumbnails:
                self._thumbnails[path] = QPixmap.fromImage(image)
                while len(self._thumbnails) > _KEPT:
                    del self._thumbnails[next(iter(self._thumbnails))]
                self.thumbnail_made.emit()


class _Thumbnail(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget):
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        side = THUMBNAIL_SIDE + 2 * (_GAP + _MARK)
        return QSize(side, side)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        frame = rect.adjusted(_GAP, _GAP, -_GAP, -_GAP)
        picture = frame.adjusted(_MARK, _MARK, -_MARK, -_MARK)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if state & QStyle.StateFlag.State_Selected:
            self._fill(painter, frame, 8, self._theme.colour("accent"))
            self._fill(painter, frame.adjusted(2, 2, -2, -2), 6, self._theme.colour("canvas"))
            picture.adjust(1, 1, -1, -1)
        elif state & QStyle.StateFlag.State_MouseOver:
            self._fill(painter, frame, 8, self._theme.colour("border_strong"))
        pixmap = index.data(Qt.ItemDataRole.DecorationRole)
        paint_thumbnail(painter, picture, pixmap, self._theme)
        painter.restore()

    def _fill(self, painter: QPainter, rect: QRect, radius: int, colour: QColor) -> None:
        painter.setBrush(colour)
        painter.drawRoundedRect(rect, radius, radius)
