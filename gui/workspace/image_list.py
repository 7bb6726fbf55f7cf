"""All images of a workspace as a grid or a list, for 100,000 of them as fast as for ten.

Qt's own list views lay out every item; here a place is arithmetic (`cell_layout`).
"""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyleOptionViewItem, QWidget

from core.workspace import ImageRow
from gui.widgets.theme import Theme
from gui.workspace.cell_layout import CellLayout
from gui.workspace.image_cell import ImageCell
from gui.workspace.image_rows import ImageRows
from gui.workspace.image_selection import ImageSelection
from gui.workspace.scroll_anchor import ScrollAnchor, is_in_view
from gui.workspace.selection_model import SelectionModel
from gui.workspace.thumbnails import Thumbnails

SMALLEST, LARGEST = 64, 320
_STEP = 16
_LINES_PER_WHEEL = 3

_Index = QModelIndex | QPersistentModelIndex


class ImageList(QAbstractItemView):
    """The current image is the one shown in the middle; several can be selected.

    `chosen(int)`: another image is to be shown, by its id. `side_chosen(int)`: thumbnails of
    another size, by Ctrl and the wheel. `menu_asked(int, QPoint)`: the menu of an image, by its id.
    `edit_asked()`: the caption of the current image is to be edited, by Enter or a double click.
    `focus_changed()`: the list has the focus now, or has lost it.
    """

    chosen = Signal(int)
    edit_asked = Signal()
    focus_changed = Signal()
    side_chosen = Signal(int)
    menu_asked = Signal(int, QPoint)

    def __init__(
        self, theme: Theme, rows: ImageRows, thumbnails: Thumbnails, parent: QWidget | None = None
    ):
        super().__init__(parent)
        self.setObjectName("image_list")
        self.setAccessibleName(self.tr("Images"))
        self.rows = rows
        self._cell = ImageCell(theme, thumbnails, self)
        self._is_set_by_program = False
        self._empty_text = ""
        self._band: QRect | None = None
        self._anchor = ScrollAnchor()
        self._is_resizing = False
        self.setItemDelegate(self._cell)
        self.setModel(rows)
        selection_model = SelectionModel(rows, self)
        self.setSelectionModel(selection_model)
        self.selection = ImageSelection(rows, selection_model)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setMouseTracking(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self._hovered = QPersistentModelIndex()
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        rows.rows_changed.connect(self.viewport().update)
        thumbnails.made.connect(self._on_thumbnail_made)
        theme.changed.connect(self.viewport().update)

    # Layout

    @property
    def is_grid(self) -> bool:
        """Whether the images are shown as a grid, rather than a list."""
        return self._cell.is_grid

    @property
    def side(self) -> int:
        """The side of a grid's thumbnails, in logical pixels."""
        return self._cell.side

    def set_layout(self, is_grid: bool, side: int) -> None:
        """Shows a grid of thumbnails of this side, or a list; what is in view stays in view."""
        side = min(max(side, SMALLEST), LARGEST)
        if (is_grid, side) == (self.is_grid, self.side):
            return
        first = self.indexAt(QPoint(self.viewport().width() // 2, 1))
        self._cell.is_grid, self._cell.side = is_grid, side
        self.updateGeometries()
        seen = self.currentIndex() if self.currentIndex().isValid() else first
        if seen.isValid():
            self.scrollTo(seen)
        self.viewport().update()

    def show_empty_text(self, text: str) -> None:
        """Shows this where there are no images."""
        if text != self._empty_text:
            self._empty_text = text
            self.setAccessibleDescription(text)
            self.viewport().update()

    @property
    def columns(self) -> int:
        """How many images stand beside each other."""
        return self._layout.columns

    @property
    def _layout(self) -> CellLayout:
        return self._layout_at(self.viewport().width())

    def _layout_at(self, width: int) -> CellLayout:
        least = self._cell.cell_size(self.fontMetrics().height())
        return CellLayout(self.rows.rowCount(), width, least, self.is_grid, self.isRightToLeft())

    def visualRect(self, index: _Index) -> QRect:
        if not index.isValid():
            return QRect()
        return self._layout.rect(index.row()).translated(0, -self.verticalOffset())

    def indexAt(self, point: QPoint) -> QModelIndex:
        row = self._layout.row_at(point + QPoint(0, self.verticalOffset()))
        return QModelIndex() if row is None else self.rows.index(row, 0)

    def scrollTo(
        self,
        index: _Index,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        rect, bar = self.visualRect(index), self.verticalScrollBar()
        if not index.isValid():
            return
        height = self.viewport().height()
        if hint == QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(bar.value() + rect.center().y() - height // 2)
        elif rect.top() < 0 or hint == QAbstractItemView.ScrollHint.PositionAtTop:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() >= height:
            bar.setValue(bar.value() + min(rect.bottom() + 1 - height, rect.top()))

    def horizontalOffset(self) -> int:
        return 0

    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: _Index) -> bool:
        return False

    def updateGeometries(self) -> None:
        super().updateGeometries()
        bar, height, layout = self.verticalScrollBar(), self.viewport().height(), self._layout
        bar.setPageStep(height)
        bar.setSingleStep(max(20, layout.least.height() // 3))
        bar.setRange(0, max(0, layout.height - height))
        bar.setEnabled(bar.maximum() > 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        current, old = self.currentIndex(), event.oldSize()
        was_seen = current.isValid() and (
            not old.isValid()
            or is_in_view(self._layout_at(old.width()), current.row(), self.verticalOffset(), old)
        )
        self._is_resizing = True
        super().resizeEvent(event)
        self.updateGeometries()
        self.verticalScrollBar().setValue(self._anchor.value(self._layout))
        if was_seen:
            self.scrollTo(current)
        self._is_resizing = False

    @Slot(int)
    def _on_scrolled(self, value: int) -> None:
        # To go through other widths, as in a change of the theme, is not to scroll.
        if not self._is_resizing:
            self._anchor.note(self._layout, value)

    # Selection

    @property
    def selected_ids(self) -> list[int]:
        """The ids of the selected images, in the order of the list."""
        return self.selection.ids

    @property
    def selected_count(self) -> int:
        """How many images are selected."""
        return self.selection.count

    def select_ids(self, ids: set[int]) -> None:
        """Selects these images, and no others; those that are not listed are passed over."""
        self.selection.select_ids(ids)

    def show_current(self, id: int) -> None:
        """Makes this image the current one, without `chosen`. Several that are selected stay so."""
        row = self.rows.row_of(id)
        index = self.rows.index(row, 0) if row is not None else QModelIndex()
        if index == self.currentIndex():
            return
        self._is_set_by_program = True
        self._set_current(index)
        self._is_set_by_program = False
        if index.isValid():
            self.scrollTo(index)

    def step(self, by: int) -> None:
        """Goes to the next image, or with -1 to the one before, unless it is the last or first."""
        action = self.CursorAction.MoveNext if by > 0 else self.CursorAction.MovePrevious
        if (index := self.moveCursor(action, Qt.KeyboardModifier.NoModifier)).isValid():
            self._set_current(index)

    def _set_current(self, index: QModelIndex) -> None:
        flags = QItemSelectionModel.SelectionFlag
        keeps = self.selected_count > 1 or not index.isValid()
        self.selectionModel().setCurrentIndex(
            index, flags.NoUpdate if keeps else flags.ClearAndSelect
        )

    def currentChanged(self, current: _Index, previous: _Index) -> None:
        super().currentChanged(current, previous)
        if current.isValid():
            # What is pressed stays under the pointer, or Shift would select up to another one.
            if not self.selection.in_gesture:
                self.scrollTo(current)
            if not self._is_set_by_program:
                self.chosen.emit(self.rows.id_at(current))

    def reset(self) -> None:
        self._hovered = QPersistentModelIndex()
        super().reset()

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        area = rect.normalized().translated(0, self.verticalOffset())
        is_band = self.state() == QAbstractItemView.State.DragSelectingState
        self._band = area if is_band else None
        is_range = bool(command & QItemSelectionModel.SelectionFlag.Current) and not is_band
        selection = QItemSelection()
        for begin, end in [self.selection.range()] if is_range else self._layout.parts_in(area):
            selection.select(self.rows.index(begin, 0), self.rows.index(end, 0))
        self.selectionModel().select(selection, command)
        self.selection.note_range(is_range)
        self.viewport().update()

    def selectionCommand(
        self, index: _Index, event: QEvent | None = None
    ) -> QItemSelectionModel.SelectionFlag:
        is_menu = isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.RightButton
        if is_menu and index.isValid() and self.selection.has(index.row()):
            # Qt does not know of all images that are selected.
            return QItemSelectionModel.SelectionFlag.NoUpdate
        return super().selectionCommand(index, event)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        # Of 100,000 selected images, those in view are painted anyway.
        return QRegion(self.viewport().rect())

    def moveCursor(
        self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        if not self.rows.rowCount():
            return QModelIndex()
        at, top, height = self.currentIndex().row(), self.verticalOffset(), self.viewport().height()
        return self.rows.index(self._layout.moved(at, action, height, top), 0)

    # Events

    def paintEvent(self, event: QPaintEvent) -> None:
        top = event.rect().top() + self.verticalOffset()
        rows = self._layout.rows_between(top, top + event.rect().height() - 1)
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        flags, plain = QStyle.StateFlag, option.state  # type: ignore[attr-defined]
        current, hovered = self.currentIndex().row(), self._hovered.row()
        with QPainter(self.viewport()) as painter:
            if self._empty_text and not self.rows.rowCount():
                self._cell.paint_empty(painter, self.viewport().rect(), self._empty_text)
            for row in rows:
                index = self.rows.index(row, 0)
                state = plain & ~(flags.State_HasFocus | flags.State_MouseOver)
                if self.selection.has(row):
                    state |= flags.State_Selected
                if row == current:
                    state |= flags.State_HasFocus
                if row == hovered:
                    state |= flags.State_MouseOver
                option.rect = self.visualRect(index)  # type: ignore[attr-defined]
                option.state = state  # type: ignore[attr-defined]
                self._cell.paint(painter, option, index)
            if self._band is not None:
                self._cell.paint_band(painter, self._band.translated(0, -self.verticalOffset()))
        self._cell.keep_thumbnails({self.rows.ids[row] for row in self._rows_in_view()})

    def _rows_in_view(self) -> range:
        top = self.verticalOffset()
        return self._layout.rows_between(top, top + self.viewport().height() - 1)

    @Slot(object)
    def _on_thumbnail_made(self, image: ImageRow) -> None:
        """Paints no other cell: while one scrolls, a thumbnail is made every few milliseconds."""
        for row in self._rows_in_view():
            if self.rows.ids[row] == image.id:
                self.update(self.rows.index(row, 0))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.indexAt(event.position().toPoint()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.selection.set_in_gesture(True)
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._band = None
        self.selection.set_in_gesture(False)
        super().mouseReleaseEvent(event)
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(QModelIndex())

    def _hover(self, index: QModelIndex) -> None:
        if self._hovered != index:
            self._hovered = QPersistentModelIndex(index)
            self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # There are no names to search by their first letters: what is typed is for the window.
        modifiers = Qt.KeyboardModifier
        commands = modifiers.ControlModifier | modifiers.AltModifier | modifiers.MetaModifier
        if (
            event.key() in (Qt.Key.Key_J, Qt.Key.Key_K)
            and event.modifiers() == modifiers.NoModifier
        ):
            self.step(1 if event.key() == Qt.Key.Key_J else -1)
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            self.edit_asked.emit()
            return
        is_typed = event.text().isprintable() and bool(event.text().strip())
        if is_typed and not event.modifiers() & commands:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        if self.indexAt(event.position().toPoint()).isValid():
            self.edit_asked.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Qt's own would make the first image the current one.
        self.focus_changed.emit()
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if self.is_grid and steps:
                self.side_chosen.emit(self.side + round(steps * _STEP))
        else:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() - round(steps * _LINES_PER_WHEEL * bar.singleStep()))
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The menu key means the current image, wherever the pointer is.
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if is_by_key else self.indexAt(event.pos())
        if index.isValid():
            below = self.viewport().mapToGlobal(self.visualRect(index).center())
            self.menu_asked.emit(self.rows.id_at(index), below if is_by_key else event.globalPos())
