"""The line that says how far the reading of a folder is, and stops it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from core.workspace import ScanProgress, ScanStage
from gui.widgets.counted import counted
from gui.workspace.progress_line import ProgressLine


class ReadingLine(ProgressLine):
    """`stop_asked()`: what is found by now is enough. `more_asked()`: the others are wanted too."""

    stop_asked = Signal()
    more_asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__("reading", parent)
        self._is_reading = False
        self.bar.setAccessibleName(self.tr("Reading the folder"))
        self.button.clicked.connect(self._on_clicked)

    def show_reading(self, progress: ScanProgress | None, is_cut: bool) -> None:
        """Says how far reading is, or that it was stopped; else it is hidden."""
        self._is_reading = progress is not None
        if progress is not None:
            self._show_progress(progress)
            return
        self.end()
        self.setVisible(is_cut)
        if is_cut:
            self.label.setText(self.tr("Reading stopped"))
            self.button.setText(self.tr("Continue"))
            self.bar.hide()

    def _show_progress(self, progress: ScanProgress) -> None:
        done, total = f"{progress.done:,}", f"{progress.total:,}"
        text = self.tr("{done} of {total} captions read").format(done=done, total=total)
        if progress.stage is ScanStage.FOLDERS:
            one, many = self.tr("1 image found"), self.tr("{count} images found")
            text = counted(progress.done, one, many)
        self.button.setText(self.tr("Stop"))
        self.show_soon(text, progress.done, progress.total)

    @Slot()
    def _on_clicked(self) -> None:
        (self.stop_asked if self._is_reading else self.more_asked).emit()
