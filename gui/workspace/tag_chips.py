"""The tags of a caption as chips: moved, renamed and removed by mouse and keyboard."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import (
    QContextMenuEvent,
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
    QAbstractItemDelegate,
    QAbstractItemView,
    QLineEdit,
    QListView,
)

from core.spelling import spans_of_words
from core.workspace import TagList
from gui.widgets.theme import Theme
from gui.workspace.tag_cells import CHIP_MARGIN, ROW_TYPE, SPACING, Chip, TagRows, cross_rect


class TagChips(QListView):
    """`changed(TagList)`: the tags are to be others. `typed(str)`: a letter was typed here, which
    begins another tag. `rename_typed(str)`: what a tag is to be instead, as far as it is written,
    "" once it is taken over or given up. `left()`: the tags after the last one are meant.
    `menu_asked(QPoint)`: the menu of the chosen tags, there.

    Delete removes what is selected, F2 or Enter renames, Alt and the arrows move.
    """

    changed = Signal(object)
    typed = Signal(str)
    rename_typed = Signal(str)
    left = Signal()
    menu_asked = Signal(QPoint)

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("tag_chips")
        self.setAccessibleName(self.tr("Tags"))
        self._theme = theme
        self.tags = TagList()
        self._drop_at = -1
        self._wrong: frozenset[str] = frozenset()
        self._renaming: tuple[int, str] | None = None
        self._rows = TagRows(self)
        self.setModel(self._rows)
        chip = Chip(theme, self.is_wrong, self)
        chip.typed.connect(self.rename_typed)
        chip.closeEditor.connect(self._on_editor_closed)
        self.setItemDelegate(chip)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSpacing(SPACING)
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
        self._rows.renamed.connect(self._on_renamed)
        # The view closes the field of the chip before the chips are others.
        self._rename_timer = QTimer(self, interval=0, singleShot=True)
        self._rename_timer.timeout.connect(self._rename)

    def minimumSizeHint(self) -> QSize:
        """Two lines of tags."""
        line = self.fontMetrics().height() + CHIP_MARGIN + SPACING
        return QSize(super().minimumSizeHint().width(), 2 * line + SPACING + 2 * self.frameWidth())

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

    @property
    def chosen(self) -> list[str]:
        """The tags that are selected."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        return [self.tags.tags[row] for row in rows]

    def copy(self) -> None:
        """Copies the chosen tags."""
        QGuiApplication.clipboard().setText(", ".join(self.chosen))

    def remove(self) -> None:
        """Removes the chosen tags."""
        rows = {index.row() for index in self.selectionModel().selectedIndexes()}
        if rows:
            self._change(self.tags.kept(lambda place, _: place not in rows))

    def edit_current(self) -> None:
        """Lets the current tag be written anew."""
        self.edit(self.currentIndex())

    def finish_editing(self) -> None:
        """Takes over the tag that is being written anew, as if Enter had been pressed."""
        # The only field in it is that of the chip.
        field = self.viewport().findChild(QLineEdit)
        if self.state() is QAbstractItemView.State.EditingState and field is not None:
            self.commitData(field)
            self.closeEditor(field, QAbstractItemDelegate.EndEditHint.NoHint)
        self._rename()

    def can_move_by(self, steps: int) -> bool:
        """Whether the current tag can be moved so far to the right, or to the left if negative."""
        to = self._place_by(steps)
        return self.currentIndex().isValid() and 0 <= to < len(self.tags.tags)

    def move_by(self, steps: int) -> None:
        """Moves the current tag to the right, or to the left if negative."""
        if self.can_move_by(steps):
            self._move(self.currentIndex().row(), self._place_by(steps))

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
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        onward = Qt.Key.Key_Left if is_mirrored else Qt.Key.Key_Right
        is_alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        if event.matches(keys.Copy):
            self.copy()
        elif event.matches(keys.Paste):
            self._add(QGuiApplication.clipboard().text())
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove()
        elif is_alt and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.move_by(1 if key == Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self.edit_current()
        elif key == onward and row == count - 1 and not event.modifiers():
            self.left.emit()
        elif event.text().isprintable() and event.text().strip() and not is_alt:
            self.typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The menu key means the current tag, wherever the pointer is.
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if is_by_key else self.indexAt(event.pos())
        if not index.isValid():
            return
        if not self.selectionModel().isSelected(index):
            self.setCurrentIndex(index)
        else:  # All that are selected are meant, and this one first.
            no_update = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(index, no_update)
        below = self.viewport().mapToGlobal(self.visualRect(index).center())
        self.menu_asked.emit(below if is_by_key else event.globalPos())

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
        if event.mimeData().hasFormat(ROW_TYPE):
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
        if not event.mimeData().hasFormat(ROW_TYPE):
            event.ignore()
            return
        row = int(bytes(event.mimeData().data(ROW_TYPE).data()))
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
        left = rect.right() + 1 if is_end != is_mirrored else rect.left() - SPACING + 1
        line = QRect(left, rect.top(), 2, rect.height())
        QPainter(self.viewport()).fillRect(line, self._theme.colour("accent"))

    def _place_by(self, steps: int) -> int:
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        return self.currentIndex().row() + (-steps if is_mirrored else steps)

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

    def _move(self, row: int, to: int) -> None:
        self._change(self.tags.moved(row, to))
        self._go_to(to)

    @Slot()
    def _on_editor_closed(self) -> None:
        self.rename_typed.emit("")

    @Slot(int, str)
    def _on_renamed(self, row: int, text: str) -> None:
        self._renaming = row, text
        self._rename_timer.start()

    @Slot()
    def _rename(self) -> None:
        self._rename_timer.stop()
        renaming, self._renaming = self._renaming, None
        if renaming is not None:
            self._change(self.tags.with_tag(*renaming))

    def _go_to(self, row: int) -> None:
        self.setCurrentIndex(self._rows.index(row, 0))

    def _change(self, tags: TagList) -> None:
        if tags != self.tags:
            self.changed.emit(tags)
