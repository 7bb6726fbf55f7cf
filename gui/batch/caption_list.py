"""The list of a folder run: thumbnail and name, state, caption, and the most doubtful word."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QModelIndex, QPoint, Qt, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)

from core.batch import Phase
from gui.batch.cells import (
    GAP,
    ROW_HEIGHT,
    CaptionCell,
    CaptionEdit,
    DoubtCell,
    PictureCell,
    StateCell,
)
from gui.batch.row_filter import SortKey
from gui.batch.rows import BatchModel, Column
from gui.widgets.theme import Theme

translate = QCoreApplication.translate

_LEAST_WIDTH, _LEAST_CAPTION = 84, 160
# Of the list's width; a long name is elided in its middle.
_NAME_SHARE = 0.28
_NAME_WIDTHS = (200, 280)


class BatchList(QTableView):
    """Rows to read, to edit with F2 or a double click, and to open with Enter.

    `opened(Path)`: the picture of a row is to be shown. `reveal_asked(Path)`: this file is to be
    shown in the file manager. `menu_asked(QPoint)`: the context menu of the current row is to open
    there, on the screen. `current_changed()`: another row is the current one, or the order is
    another. `drafted(int, str)` and `draft_dropped(int)` are those of `CaptionCell`.
    """

    opened = Signal(Path)
    reveal_asked = Signal(Path)
    menu_asked = Signal(QPoint)
    current_changed = Signal()
    drafted = Signal(int, str)
    draft_dropped = Signal(int)

    def __init__(self, theme: Theme, model: BatchModel, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_list")
        self.setAccessibleName(self.tr("Images of the folder run"))
        self._rows = model
        self._theme = theme
        self._placeholder = ""
        # The item number of the current row and the scroll position, while the model is reset.
        self._current = -1
        self._scrolled = 0
        self.setModel(model)
        model.setParent(self)
        caption_cell = CaptionCell(theme, self)
        self.setItemDelegateForColumn(Column.PICTURE, PictureCell(theme, self))
        self.setItemDelegateForColumn(Column.STATE, StateCell(theme, self))
        self.setItemDelegateForColumn(Column.CAPTION, caption_cell)
        self.setItemDelegateForColumn(Column.DOUBT, DoubtCell(theme, self))
        self._set_up_rows()
        self._set_up_header()
        model.modelAboutToBeReset.connect(self._on_about_to_be_reset)
        model.modelReset.connect(self._on_reset)
        model.doubt_shown.connect(self._on_doubt_shown)
        caption_cell.edit_begun.connect(self._on_edit_begun)
        caption_cell.neighbour_asked.connect(self._on_neighbour_asked)
        caption_cell.drafted.connect(self.drafted)
        caption_cell.draft_dropped.connect(self.draft_dropped)
        # Here rather than where the window is wired: it ends with the list.
        application = QGuiApplication.instance()
        if isinstance(application, QGuiApplication):
            application.applicationStateChanged.connect(self._on_application_state)

    def show_placeholder(self, text: str) -> None:
        """Sets what is said where the list has no rows."""
        if text != self._placeholder:
            self._placeholder = text
            self.viewport().update()

    def finish_editing(self) -> bool:
        """Keeps the caption that is being edited, as if Enter had been pressed. Returns whether it
        was changed."""
        editor = self._editor
        if editor is None:
            return False
        is_changed = editor.document().isModified()
        self.commitData(editor)
        self.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)
        return is_changed

    @property
    def current_number(self) -> int:
        """The item number of the current row; -1 if there is none."""
        return self._rows.number(self.currentIndex())

    @property
    def can_edit_current(self) -> bool:
        """Whether the caption of the current row can be edited."""
        index = self.currentIndex()
        return index.isValid() and self._is_editable(index.row())

    @property
    def shows_doubt(self) -> bool:
        """Whether doubtful words are known, by which the rows can be sorted."""
        return not self.isColumnHidden(Column.DOUBT)

    @property
    def is_sorted_by_doubt(self) -> bool:
        """Whether the most doubtful caption comes first."""
        return self._rows.sort_key is SortKey.DOUBT

    @Slot()
    def open_current(self) -> None:
        """Asks for the picture of the current row to be shown."""
        self.opened.emit(self._rows.item(self.currentIndex()).path)

    @Slot()
    def edit_current(self) -> None:
        """Edits the caption of the current row."""
        self.edit(self._rows.index(self.currentIndex().row(), Column.CAPTION))

    @Slot()
    def copy_current(self) -> None:
        """Copies the caption of the current row."""
        QGuiApplication.clipboard().setText(self._rows.item(self.currentIndex()).caption)

    @Slot()
    def reveal_current(self) -> None:
        """Asks for the file of the current row to be shown in the file manager."""
        self.reveal_asked.emit(self._rows.item(self.currentIndex()).path)

    @Slot()
    def toggle_order(self) -> None:
        """Sorts the rows by doubt, or as the run goes again."""
        self._sort_by(SortKey.RUN_ORDER if self.is_sorted_by_doubt else SortKey.DOUBT)

    def edit_text(self, number: int, text: str) -> bool:
        """Edits the caption of the item with this number, beginning with `text`. Returns False if
        it cannot be edited now."""
        self.finish_editing()
        row = self._rows.row(number)
        if row is None or not self._is_editable(row):
            return False
        self.setCurrentIndex(self._rows.index(row, Column.PICTURE))
        self.edit_current()
        if editor := self._editor:
            editor.write(text)
        return editor is not None

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        if isinstance(editor, CaptionEdit):
            editor.end()
        super().closeEditor(editor, hint)
        self._rows.hold_rows(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._rows.rowCount() == 0 and self._placeholder:
            with QPainter(self.viewport()) as painter:
                painter.setPen(self._theme.colour("text_quiet"))
                inside = self.viewport().rect().adjusted(24, 8, -24, -8)
                flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
                painter.drawText(inside, int(flags), self._placeholder)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.matches(QKeySequence.StandardKey.Copy) and index.isValid():
            self.copy_current()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid():
            self.open_current()
        elif event.key() == Qt.Key.Key_F2 and index.isValid():
            self.edit_current()
        else:
            super().keyPressEvent(event)

    def moveCursor(
        self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        """Home and End go to the first and last row, as in any list; a table would go to the first
        and last column of the row."""
        count = self._rows.rowCount()
        match action:
            case QAbstractItemView.CursorAction.MoveHome if count:
                return self._rows.index(0, Column.PICTURE)
            case QAbstractItemView.CursorAction.MoveEnd if count:
                return self._rows.index(count - 1, Column.PICTURE)
            case _:
                return super().moveCursor(action, modifiers)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        # The menu key means the current row, wherever the pointer is.
        is_by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        point = self.viewport().mapFromGlobal(event.globalPos())
        index = self.currentIndex() if is_by_key else self.indexAt(point)
        if not index.isValid():
            return
        self.setCurrentIndex(index)
        below = self.visualRect(index).bottomLeft() + QPoint(GAP, 0)
        at = self.viewport().mapToGlobal(below) if is_by_key else event.globalPos()
        self.menu_asked.emit(at)

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        super().currentChanged(current, previous)
        self.current_changed.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Gives each column its width; the caption, which comes last, takes what is left."""
        header = self.horizontalHeader()
        for column, texts in ((Column.STATE, self._rows.state_texts()), (Column.DOUBT, ())):
            header.resizeSection(column, self._width_for(column, texts))
        narrow, wide = _NAME_WIDTHS
        whole = self.viewport().width()
        width = max(narrow, min(wide, round(whole * _NAME_SHARE)))
        others = header.sectionSize(Column.STATE) + header.sectionSize(Column.DOUBT)
        least = header.sectionSizeHint(Column.PICTURE)
        header.resizeSection(
            Column.PICTURE, max(least, min(width, whole - others - _LEAST_CAPTION))
        )

    def _width_for(self, column: Column, texts: Sequence[str]) -> int:
        """Returns the width at which neither the header nor one of these texts is cut."""
        of_texts = max(map(self.fontMetrics().horizontalAdvance, texts), default=0) + 2 * GAP
        return max(self.horizontalHeader().sectionSizeHint(column), of_texts, _LEAST_WIDTH)

    @property
    def _editor(self) -> CaptionEdit | None:
        """The editor that is open; one that was closed lives on for a moment, hidden."""
        editors = self.findChildren(CaptionEdit)
        return next((editor for editor in editors if not editor.isHidden()), None)

    # Parts

    def _set_up_rows(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        triggers = QAbstractItemView.EditTrigger
        self.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(2 * ROW_HEIGHT)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)

    def _set_up_header(self) -> None:
        header = self.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        # In front of the caption, which comes last and takes the remaining width.
        header.moveSection(Column.DOUBT, Column.CAPTION)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_header_clicked)
        self.setColumnHidden(Column.DOUBT, True)

    def _is_editable(self, row: int) -> bool:
        flags = self._rows.flags(self._rows.index(row, Column.CAPTION))
        return bool(flags & Qt.ItemFlag.ItemIsEditable)

    @Slot(bool)
    def _on_doubt_shown(self, is_shown: bool) -> None:
        self.setColumnHidden(Column.DOUBT, not is_shown)
        self._fit_columns()
        self._sort_by(self._rows.sort_key)

    @Slot(int)
    def _on_header_clicked(self, section: int) -> None:
        if section == Column.DOUBT:
            self.toggle_order()

    def _sort_by(self, key: SortKey) -> None:
        if key is not self._rows.sort_key:
            self._rows.sort_by(key)
            self.scrollToTop()
        header = self.horizontalHeader()
        header.setSortIndicator(Column.DOUBT, Qt.SortOrder.DescendingOrder)
        header.setSortIndicatorShown(key is SortKey.DOUBT)
        self.current_changed.emit()

    @Slot(Qt.ApplicationState)
    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        """Keeps what a person has typed before they use another program; they can go on."""
        editor = self._editor
        is_left = state != Qt.ApplicationState.ApplicationActive
        if is_left and editor is not None and editor.document().isModified():
            self.commitData(editor)

    @Slot()
    def _on_about_to_be_reset(self) -> None:
        self.finish_editing()  # The editor goes with its row.
        self._current = self._rows.number(self.currentIndex())
        self._scrolled = self.verticalScrollBar().value()

    @Slot()
    def _on_reset(self) -> None:
        """Restores the current row and the scroll position when the filter is applied again."""
        row = self._rows.row(self._current)
        if row is not None:
            self.setCurrentIndex(self._rows.index(row, Column.PICTURE))
        self.verticalScrollBar().setValue(self._scrolled)
        self.current_changed.emit()

    @Slot()
    def _on_edit_begun(self) -> None:
        self._rows.hold_rows(True)

    @Slot(int)
    def _on_neighbour_asked(self, step: int) -> None:
        """Continues editing in the row below or above."""
        row = self.currentIndex().row() + step
        if 0 <= row < self._rows.rowCount():
            self.setCurrentIndex(self._rows.index(row, Column.PICTURE))
            if self._is_editable(row):
                self.edit_current()


def placeholder(phase: Phase, *, has_images: bool) -> str:
    """Returns what is said in place of rows."""
    if phase is Phase.FINDING:
        return translate("BatchPanel", "Looking for images…")
    if has_images:
        return translate("BatchPanel", "No image matches.")
    return translate("BatchPanel", "No images yet. Choose “Caption folder” in the File menu.")
