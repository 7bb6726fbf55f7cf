"""Connects what is counted in the captions of a folder with the query line and the statistics."""

from __future__ import annotations

from PySide6.QtCore import QObject

from gui.session.folder_counts import FolderCounts
from gui.window.main_window import MainWindow


class CountsWiring(QObject):
    """What may follow in a query is suggested while it is typed."""

    def __init__(self, window: MainWindow, counts: FolderCounts, parent: QObject | None = None):
        super().__init__(parent)
        query_line = window.workspace_pane.query_line
        query_line.completion_asked.connect(counts.complete)
        counts.completed.connect(query_line.show_completions)
