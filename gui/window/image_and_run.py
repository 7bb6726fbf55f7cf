"""The image with its conversation, and above them the folder run."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from gui.batch.panel import BatchPanel

# With less height, the image and the prompt would be of no use.
LEAST_IMAGE = 236


class ImageAndRun(QWidget):
    """Holds `image` and, while it is open, `run`, which takes the place of the image where there is
    no room for both.

    `covered(bool)`: whether the run has taken the place of the image now.
    """

    covered = Signal(bool)

    def __init__(self, image: QWidget, run: BatchPanel):
        super().__init__()
        self._image, self._run = image, run
        self._is_covered = False
        image.setMinimumHeight(LEAST_IMAGE)
        # Beside the image, the run is as high as what it shows.
        run.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        # Above: what it shows stays in its place where more of it is unfolded.
        self._column.addWidget(run)
        self._column.addWidget(image, 1)
        run.hide()

    @property
    def is_covered(self) -> bool:
        """Whether the run has taken the place of the image."""
        return self._is_covered

    def show_run(self, is_shown: bool) -> None:
        """Opens or folds away the run."""
        self._run.setVisible(is_shown)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._arrange()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        is_shown = not self._run.isHidden()
        room = self.height() - self._run.least_height if is_shown else self.height()
        is_covered = is_shown and (self._run.is_trying or room < LEAST_IMAGE)
        if is_covered == self._is_covered:
            return
        self._is_covered = is_covered
        self._column.setStretchFactor(self._run, int(is_covered))
        self._image.setVisible(not is_covered)
        self.covered.emit(is_covered)
