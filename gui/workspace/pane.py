"""The left side of the window: all images of the folder that is open."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QSlider,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.buttons import icon_button
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.focus_ring import paint_focus
from gui.widgets.theme import Theme
from gui.workspace.editing_line import EditingLine
from gui.workspace.image_list import LARGEST, SMALLEST, ImageList
from gui.workspace.image_rows import ImageRows
from gui.workspace.query_line import QueryLine
from gui.workspace.reading_line import ReadingLine
from gui.workspace.statistics_panel import StatisticsPanel
from gui.workspace.thumbnails import Thumbnails

LEAST_WIDTH = 152
_STEP = 16
_STATISTICS_HEIGHT = 190
_LEAST_FOR_STATISTICS = 330


class _Slider(QSlider):
    """Shows that it has the focus, which the style's slider does not."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.hasFocus():
            paint_focus(QPainter(self), self)


class WorkspacePane(QWidget):
    """The list of images, and how they are listed.

    `fold_asked()`: the pane is to be folded away. `layout_asked()`: a grid instead of a list, or
    the other way round. `side_chosen(int)`: thumbnails of another size.
    `reveal_asked(int)`: an image, by its id, is to be shown in the file manager;
    `close_asked(int)`: it is to be taken out of the list.
    """

    fold_asked = Signal()
    layout_asked = Signal()
    side_chosen = Signal(int)
    reveal_asked = Signal(int)
    close_asked = Signal(int)

    def __init__(
        self,
        theme: Theme,
        rows: ImageRows,
        thumbnails: Thumbnails,
        parent: QWidget | None = None,
    ):
        super().__init__(parent)
        self.setObjectName("workspace_pane")
        self.setMinimumWidth(LEAST_WIDTH)
        self._theme = theme
        self.list = ImageList(theme, rows, thumbnails)
        self._build_head()
        self._build_foot()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(0)
        self.column.addLayout(self._head)
        self.query_line = QueryLine(theme)
        self.column.addWidget(self.query_line)
        self.reading_line = ReadingLine()
        self.column.addWidget(self.reading_line)
        self.editing_line = EditingLine()
        self.column.addWidget(self.editing_line)
        self.statistics = StatisticsPanel(theme)
        self.parts = QSplitter(Qt.Orientation.Vertical)
        self.parts.setObjectName("pane_parts")
        self.parts.setHandleWidth(1)
        self.parts.setChildrenCollapsible(False)
        self.parts.addWidget(self.list)
        self.parts.addWidget(self.statistics)
        self.parts.setStretchFactor(0, 1)
        self.parts.setStretchFactor(1, 0)
        self.parts.setSizes([400, _STATISTICS_HEIGHT])
        self._unfolded_height = _STATISTICS_HEIGHT
        self.statistics.folded.connect(self._on_statistics_folded)
        self.column.addWidget(self.parts, 1)
        self.column.addWidget(self.foot)
        self.list.side_chosen.connect(self.side_chosen)
        self.query_line.left.connect(self.list.setFocus)

    @property
    def has_focus(self) -> bool:
        """Whether it or a part of it has the focus."""
        return self.isVisible() and self.isAncestorOf(QApplication.focusWidget() or self.window())

    def show_counts(self, name: str, listed: int, total: int) -> None:
        """Says which folder it is, and how many of its images are listed."""
        self.name_label.setText(name)
        text = f"{listed:,}"
        if listed != total:
            text = self.tr("{count} of {total}").format(count=text, total=f"{total:,}")
        self.count_label.setText(text)
        is_none_found = total > 0 and not listed
        self.list.show_empty_text(self.tr("No image matches.") if is_none_found else "")

    def show_selected(self, count: int, unreviewed: int) -> None:
        """Says how many images are selected, or are left to be reviewed."""
        text = self.tr("{count} unreviewed").format(count=f"{unreviewed:,}") if unreviewed else ""
        if count > 1:
            text = self.tr("{count} selected").format(count=f"{count:,}")
        self.selected_label.setText(text)

    def show_layout(self, is_grid: bool, side: int) -> None:
        """Shows a grid of thumbnails of this side, or a list."""
        self.list.set_layout(is_grid, side)
        name = self.tr("Show as list") if is_grid else self.tr("Show as grid")
        self.layout_button.setAccessibleName(name)
        self.layout_button.setToolTip(name)
        self._theme.set_icon(self.layout_button, "list" if is_grid else "grid", "text_quiet")
        self.side_slider.setVisible(is_grid)
        self.side_slider.blockSignals(True)
        self.side_slider.setValue(self.list.side)
        self.side_slider.blockSignals(False)

    def _build_head(self) -> None:
        self.name_label = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        self.name_label.setObjectName("workspace_name")
        self.count_label = QLabel()
        self.count_label.setObjectName("workspace_count")
        self.layout_button = icon_button(self._theme, "list", self.tr("Show as list"))
        self.layout_button.setObjectName("layout_button")
        self.layout_button.clicked.connect(self.layout_asked)
        self.fold_button = icon_button(self._theme, "panel", self.tr("Hide images"))
        self.fold_button.setObjectName("fold_button")
        self.fold_button.clicked.connect(self.fold_asked)
        self._head = QHBoxLayout()
        self._head.setContentsMargins(12, 6, 6, 6)
        self._head.setSpacing(4)
        self._head.addWidget(self.name_label, 1)
        self._head.addWidget(self.count_label)
        self._head.addWidget(self.layout_button)
        self._head.addWidget(self.fold_button)

    def _build_foot(self) -> None:
        self.foot = QWidget()
        self.foot.setObjectName("workspace_foot")
        row = QHBoxLayout(self.foot)
        row.setContentsMargins(12, 4, 12, 6)
        row.setSpacing(8)
        self.selected_label = ElidedLabel()
        self.selected_label.setObjectName("selected_label")
        self.side_slider = _Slider(Qt.Orientation.Horizontal)
        self.side_slider.setObjectName("side_slider")
        self.side_slider.setAccessibleName(self.tr("Size of thumbnails"))
        self.side_slider.setToolTip(self.tr("Size of thumbnails"))
        self.side_slider.setRange(SMALLEST, LARGEST)
        self.side_slider.setSingleStep(_STEP)
        self.side_slider.setPageStep(4 * _STEP)
        self.side_slider.setFixedWidth(88)
        self.side_slider.valueChanged.connect(self._on_slid)
        row.addWidget(self.selected_label, 1)
        row.addWidget(self.side_slider)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A low pane has room for the list alone."""
        super().resizeEvent(event)
        self.statistics.setVisible(self.height() >= _LEAST_FOR_STATISTICS)

    @Slot(bool)
    def _on_statistics_folded(self, is_folded: bool) -> None:
        """The list takes the room that is free now; a splitter would leave it empty."""
        list_height, height = self.parts.sizes()
        if is_folded:
            self._unfolded_height = height or self._unfolded_height
            left = self.statistics.maximumHeight()
        else:
            left = self._unfolded_height
        self.parts.setSizes([max(list_height + height - left, 0), left])

    @Slot(int)
    def _on_slid(self, side: int) -> None:
        self.side_chosen.emit(side)
