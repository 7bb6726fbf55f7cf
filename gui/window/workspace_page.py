"""The page with the images of a folder, the image in view, and what is said of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from gui.widgets.buttons import icon_button
from gui.widgets.theme import Theme
from gui.window.view_state import WorkspaceState
from gui.workspace.pane import WorkspacePane

# Below this width there is no room for three parts beside each other.
LEAST_FOR_THREE = 780


class WorkspacePage(QWidget):
    """Holds the list of images on the left of `inner`, or a bar that unfolds it.

    `unfold_asked()`: the list is to be shown. `room_changed(bool)`: whether there is room for it.
    """

    unfold_asked = Signal()
    room_changed = Signal(bool)

    def __init__(self, theme: Theme, pane: WorkspacePane, inner: QWidget):
        super().__init__()
        self.setObjectName("workspace_page")
        self._has_room = True
        self.pane = pane
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("workspace_splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(pane)
        self.splitter.addWidget(inner)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([236, 940])
        self.fold_bar = QWidget()
        self.fold_bar.setObjectName("fold_bar")
        self.unfold_button = icon_button(theme, "panel", self.tr("Show images"))
        self.unfold_button.setObjectName("unfold_button")
        self.unfold_button.clicked.connect(self.unfold_asked)
        column = QVBoxLayout(self.fold_bar)
        column.setContentsMargins(2, 6, 2, 6)
        column.addWidget(self.unfold_button)
        column.addStretch()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.fold_bar)
        row.addWidget(self.splitter, 1)
        pane.hide()
        self.fold_bar.hide()

    def show_state(self, state: WorkspaceState) -> None:
        """Shows or hides the list, and how it is laid out."""
        self.pane.setVisible(state.is_list_shown)
        self.fold_bar.setVisible(state.has_list and state.has_room and state.is_folded)
        if state.has_list:
            self.pane.show_counts(state.name, state.listed, state.total)
            self.pane.reading_line.show_reading(state.reading, state.is_cut)
            self.pane.editing_line.show_editing(state.editing)
            self.pane.show_layout(state.is_grid, state.side)
            self.pane.show_selected(state.selected, state.unreviewed)
            self.pane.query_line.show_query(state.query, state.query_error, state.query_fault)
            self.pane.query_line.show_sort(state.sort)
            self.pane.statistics.show_state(
                is_folded=state.folds_statistics,
                kind=state.statistics,
                has_tags=state.has_tags,
                query=state.query,
            )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        has_room = self.width() >= LEAST_FOR_THREE
        if has_room != self._has_room:
            self._has_room = has_room
            self.room_changed.emit(has_room)
