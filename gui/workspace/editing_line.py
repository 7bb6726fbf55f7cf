"""The line that says how far an edit of many captions is, and stops it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from core.workspace import EditProgress
from gui.widgets.translated import translated
from gui.workspace.progress_line import ProgressLine


class EditingLine(ProgressLine):
    """`stop_asked()`: the captions that are not edited yet are to stay as they are."""

    stop_asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__("editing", parent)
        self.bar.setAccessibleName(self.tr("Changing images"))
        self.button.setText(self.tr("Stop"))
        self.button.clicked.connect(self.stop_asked)

    def show_editing(self, progress: EditProgress | None) -> None:
        """Says how far an edit is; without one the line is hidden."""
        if progress is None:
            self.end()
            return
        text = self.tr("{done} of {total} images checked")
        if progress.is_writing:
            text = self.tr("{done} of {total} images changed")
        self.button.setVisible(progress.can_stop)
        self.setToolTip(translated(progress.name))
        done, total = f"{progress.done:,}", f"{progress.total:,}"
        self.show_soon(text.format(done=done, total=total), progress.done, progress.total)
