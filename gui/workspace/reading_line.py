"""The line that says how far the reading of a folder is, and stops it."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QToolButton, QVBoxLayout, QWidget

from core.workspace import ScanProgress, ScanStage
from gui.widgets.elided_label import ElidedLabel

# What takes less time needs no progress.
_SHOWN_AFTER_MS = 700


class ReadingLine(QWidget):
    """Figures come first in its texts, so that they stay where a narrow pane cuts them.

    `stop_asked()`: what is found by now is enough. `more_asked()`: the others are wanted too."""

    stop_asked = Signal()
    more_asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("reading_line")
        self._is_reading = False
        self.label = ElidedLabel()
        self.button = QToolButton()
        self.button.setObjectName("reading_button")
        self.button.clicked.connect(self._on_clicked)
        self.bar = QProgressBar()
        self.bar.setObjectName("reading_bar")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(3)
        self.bar.setAccessibleName(self.tr("Reading the folder"))
        row = QHBoxLayout()
        row.setContentsMargins(12, 2, 6, 2)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 2)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.bar)
        self._timer = QTimer(self, interval=_SHOWN_AFTER_MS, singleShot=True)
        self._timer.timeout.connect(self.show)
        self.hide()

    def show_reading(self, progress: ScanProgress | None, is_cut: bool) -> None:
        """Says how far reading is, or that it was stopped; else it is hidden."""
        self._is_reading = progress is not None
        if progress is not None:
            self._show_progress(progress)
            if self.isHidden() and not self._timer.isActive():
                self._timer.start()
            return
        self._timer.stop()
        self.setVisible(is_cut)
        if is_cut:
            self.label.setText(self.tr("Reading stopped"))
            self.button.setText(self.tr("Continue"))
            self.bar.hide()

    def _show_progress(self, progress: ScanProgress) -> None:
        done, total = f"{progress.done:,}", f"{progress.total:,}"
        if progress.stage is ScanStage.FOLDERS:
            self.label.setText(self.tr("{count} images found").format(count=done))
        else:
            text = self.tr("{done} of {total} captions read")
            self.label.setText(text.format(done=done, total=total))
        self.button.setText(self.tr("Stop"))
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)
        self.bar.show()

    @Slot()
    def _on_clicked(self) -> None:
        (self.stop_asked if self._is_reading else self.more_asked).emit()
