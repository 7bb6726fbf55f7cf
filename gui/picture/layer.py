"""An image that is shown over a picture or in its stead."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen

# Dark under light, so that the frame is visible on any picture: colour and width.
_FRAME = ((QColor(0, 0, 0, 150), 4.0), (QColor(255, 255, 255, 230), 1.5))


@dataclass(frozen=True, eq=False)
class Layer:
    """An image that covers `box`, in the picture's own pixels; parts of it may lie outside.

    `frame` is a part of the picture that gets a frame, and `clip` one outside of which nothing is
    painted, in the same pixels.
    """

    image: QImage
    box: QRectF
    has_hard_edges: bool = False
    frame: QRectF | None = None
    clip: QRectF | None = None

    def paint(self, painter: QPainter, target: QRectF, size: tuple[int, int]) -> None:
        """Paints the layer over a picture of this size, which covers `target` on the screen."""
        width, height = size
        across, down = target.width() / width, target.height() / height

        def on_screen(box: QRectF) -> QRectF:
            return QRectF(
                target.left() + box.left() * across,
                target.top() + box.top() * down,
                box.width() * across,
                box.height() * down,
            )

        smooth = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(smooth, not self.has_hard_edges)
        painter.save()
        if self.clip is not None:
            painter.setClipRect(on_screen(self.clip), Qt.ClipOperation.IntersectClip)
        painter.drawImage(on_screen(self.box), self.image)
        painter.restore()
        if self.frame is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, pen_width in _FRAME:
                painter.setPen(QPen(colour, pen_width))
                painter.drawRoundedRect(on_screen(self.frame), 4, 4)


def paint_seen(painter: QPainter, image: QImage, target: QRectF, view: QRectF) -> None:
    """Paints an image that covers `target`, but only what of it is inside `view`."""
    seen = target.intersected(view)
    factor = image.width() / target.width()
    source = QRectF(
        (seen.left() - target.left()) * factor,
        (seen.top() - target.top()) * factor,
        seen.width() * factor,
        seen.height() * factor,
    )
    painter.drawImage(seen, image, source)
