"""The parts of the main window, built and placed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from gui.batch.panel import BatchPanel
from gui.conversation.prompt_box import PromptBox
from gui.conversation.transcript_view import TranscriptView
from gui.picture.drop_zone import DropZone
from gui.widgets.notice_bar import NoticeBar
from gui.widgets.theme import Theme
from gui.window.image_and_run import ImageAndRun
from gui.window.status_line import StatusLine
from gui.window.workspace_page import WorkspacePage
from gui.workspace.caption_panel import CaptionPanel
from gui.workspace.image_rows import ImageRows
from gui.workspace.pane import WorkspacePane
from gui.workspace.side_tabs import SideTabs
from gui.workspace.thumbnail_cache import ThumbnailCache
from gui.workspace.thumbnails import Thumbnails


class Parts(QWidget):
    """What fills the window below its menus: the workspace, and the status line.

    `workspace_page` has the images of a folder beside `image_and_run`: the `splitter`, which holds
    the picture and its conversation, and above it `batch_panel`.
    """

    def __init__(self, theme: Theme, thumbnails: Path | None = None):
        """`thumbnails` is the folder where those are kept; None keeps none."""
        super().__init__()
        self.drop_zone = DropZone(theme)
        self.transcript_view = TranscriptView(theme)
        self.notice_bar = NoticeBar(theme)
        self.prompt_box = PromptBox(theme)
        self.batch_panel = BatchPanel(theme, self.drop_zone.previews)
        self.status_line = StatusLine()
        self.image_rows = ImageRows(self)
        self.thumbnails = Thumbnails(ThumbnailCache(thumbnails), self)
        self.workspace_pane = WorkspacePane(theme, self.image_rows, self.thumbnails)
        self.caption_panel = CaptionPanel(theme)
        self.side_tabs = SideTabs(self.caption_panel, self.transcript_view)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setObjectName("splitter")
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.drop_zone)
        self.splitter.addWidget(self._conversation())
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        self.splitter.setSizes([700, 480])
        self.image_and_run = ImageAndRun(self.splitter, self.batch_panel)
        self.workspace_page = WorkspacePage(theme, self.workspace_pane, self.image_and_run)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        rows.addWidget(self.workspace_page, 1)
        rows.addWidget(self.status_line)

    def _conversation(self) -> QWidget:
        right = QWidget()
        right.setObjectName("conversation")
        right.setMinimumWidth(300)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.side_tabs, 1)
        below = QVBoxLayout()
        below.setContentsMargins(12, 8, 12, 12)
        below.setSpacing(8)
        below.addWidget(self.notice_bar)
        below.addWidget(self.prompt_box)
        column.addLayout(below)
        return right
