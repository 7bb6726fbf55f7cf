"""The pages of the folder run's panel: the run itself, and the trial of its prompts."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.widgets.page_stack import PageStack


class RunPages(PageStack):
    """Shows the page of the run, whose parts stand one above the other, or that of the trial."""

    def __init__(self, parts: Sequence[QWidget], list_area: QWidget, trial_page: QWidget):
        """`list_area` stands below the other parts, and takes the height that is left."""
        super().__init__()
        run_page = QWidget()
        column = QVBoxLayout(run_page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in parts:
            column.addWidget(part)
        column.addWidget(list_area, 1)
        column.addStretch()
        self.addWidget(run_page)
        self.addWidget(trial_page)
