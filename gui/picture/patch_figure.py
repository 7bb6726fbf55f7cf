"""Shows an image with the grid of the patches that the model cuts it into."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.theme import Theme

_SIDE = 256
_SMALLEST = 160


class PatchFigure(QWidget):
    """An image with a grid, in which one patch can be framed.

    `patch_reached(int)`: the patch under the pointer, counted by rows from 0; -1 for none.
    """

    patch_reached = Signal(int)

    def __init__(self, theme: Theme):
        super().__init__()
        self._theme = theme
        self._image = QImage()
        self._grid = (0, 0)
        self._patch = -1
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setSizePolicy(policy)
        self.setFixedHeight(_SIDE)
        self.setMinimumWidth(_SMALLEST)
        theme.changed.connect(self.update)

    def show_image(self, image: QImage, rows: int = 0, columns: int = 0) -> None:
        """Shows an image in its own aspect ratio; with rows and columns, under a grid."""
        self._image, self._grid = image, (rows, columns)
        self.update()

    def mark(self, patch: int) -> None:
        """Frames one patch; with -1, none."""
        if patch != self._patch:
            self._patch = patch
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(_SIDE, _SIDE)

    def image_rect(self) -> QRectF:
        """Returns where the image lies in this widget; empty without an image."""
        if self._image.isNull():
            return QRectF()
        available = QSize(min(self.width(), _SIDE), self.height())
        size = self._image.size().scaled(available, Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(0, (self.height() - size.height()) / 2, size.width(), size.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        area = self.image_rect()
        if area.isEmpty():
            return
        rows, columns = self._grid
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, self._image)
            if not rows or not columns:
                return
            line = QColor(255, 255, 255, 80)
            painter.setPen(QPen(line, 0))
            for row in range(1, rows):
                y = round(area.top() + area.height() * row / rows)
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            for column in range(1, columns):
                x = round(area.left() + area.width() * column / columns)
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            if self._patch >= 0:
                painter.setPen(QPen(QColor(20, 20, 20), 4))
                painter.drawRect(self._patch_rect(area))
                painter.setPen(QPen(QColor(255, 214, 90), 2))
                painter.drawRect(self._patch_rect(area))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._reach(self._at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._reach(-1)

    def _reach(self, patch: int) -> None:
        if patch != self._patch:
            self.mark(patch)
            self.patch_reached.emit(patch)

    def _at(self, point: QPointF) -> int:
        area = self.image_rect()
        rows, columns = self._grid
        if not rows or not area.contains(point):
            return -1
        row = min(rows - 1, int((point.y() - area.top()) / area.height() * rows))
        column = min(columns - 1, int((point.x() - area.left()) / area.width() * columns))
        return row * columns + column

    def _patch_rect(self, area: QRectF) -> QRectF:
        rows, columns = self._grid
        row, column = divmod(self._patch, columns)
        width, height = area.width() / columns, area.height() / rows
        return QRectF(area.left() + column * width, area.top() + row * height, width, height)
