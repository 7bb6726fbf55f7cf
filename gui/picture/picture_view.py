"""Shows a picture: fitted, zoomed by wheel or key, moved by dragging. It never blurs in vain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from PIL import Image
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.preview import PreviewMaker, scaled, to_image

LARGEST_ZOOM = 16.0
# Fitted, a picture is enlarged so far and no further; a tiny one more, but with hard edges.
_LARGEST_FIT = 2.0
_TINY_SIDE = 64
_LARGEST_TINY_FIT = 8.0
_HARD_EDGES_FROM = 4.0
_SETTLE_MS = 60
_STEP = 1.25


@dataclass(frozen=True, eq=False)
class Layer:
    """An image over `box` of the picture's own pixels, of which parts may lie outside it.

    `frame` is a part of the picture that is framed."""

    image: QImage
    box: QRectF
    has_hard_edges: bool = False
    frame: QRectF | None = None


class PictureView(QWidget):
    """The picture as the model is given it. Sizes are in logical pixels but where said.

    Fitted, it paints a copy made for exactly the screen's pixels; zoomed, the part that is
    seen from a pyramid of halved copies. Both are made off the window's thread; until a new one
    is there the one before is painted, so nothing flickers or jumps.
    Another image can stand in for the picture, and one can lie over it; both move with it.
    """

    scale_changed = Signal()
    shown = Signal()

    def __init__(self, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self._previews = previews
        self._serial = 0
        self._pixels: Image.Image | None = None
        self._next: Image.Image | None = None
        self._fitted = QImage()
        self._levels: list[QImage] = []
        self._asked_levels = False
        self._zoom: float | None = None
        self._centre = QPointF()
        self._drag: QPointF | None = None
        self._stand_in: Layer | None = None
        self._overlay: Layer | None = None
        self._fits_square = False
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settle.timeout.connect(self._ask_fitted)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        previews.made.connect(self._on_made)

    @property
    def has_picture(self) -> bool:
        return self._pixels is not None

    @property
    def is_fitted(self) -> bool:
        return self._zoom is None

    @property
    def scale(self) -> float:
        """Logical pixels of the screen for one of the picture's."""
        return self._fit_scale() if self._zoom is None else self._zoom

    def show_pixels(self, pixels: Image.Image) -> None:
        """Show an RGB picture, fitted, as soon as its copy for the screen is made."""
        self._serial += 1
        self._next = pixels
        self._ask_fitted()

    def fit_square(self, is_square: bool) -> None:
        """Whether what is fitted is the square round the picture, as models are given it."""
        if is_square != self._fits_square:
            self._fits_square = is_square
            self._keep_in_sight()
            self._settle.start()
            self._settle_view()

    def show_instead(self, layer: Layer | None) -> None:
        """Show this in the picture's place; with None the picture itself."""
        self._stand_in = layer
        self.update()

    def lay_over(self, layer: Layer | None) -> None:
        """Lay this over the picture, where it can be seen through; None takes it away."""
        self._overlay = layer
        self.update()

    def clear(self) -> None:
        self._serial += 1
        self._pixels = self._next = None
        self._fitted = QImage()
        self._stand_in = self._overlay = None
        self._forget_zoom()
        self.update()

    def fit(self) -> None:
        """Show the whole picture."""
        if self._zoom is not None:
            self._zoom = None
            self._settle_view()

    def show_actual_size(self) -> None:
        """One pixel of the picture on one of the screen."""
        self._zoom_to(1 / self.devicePixelRatioF(), QRectF(self.rect()).center())

    def zoom_in(self) -> None:
        self._zoom_to(self.scale * _STEP, QRectF(self.rect()).center())

    def zoom_out(self) -> None:
        self._zoom_to(self.scale / _STEP, QRectF(self.rect()).center())

    def picture_rect(self) -> QRectF:
        """Where the whole picture lies; parts of it may be outside."""
        if self._pixels is None:
            return QRectF()
        width, height = (side * self.scale for side in self._pixels.size)
        middle = QRectF(self.rect()).center()
        if self._zoom is None:
            ratio = self.devicePixelRatioF()
            left = round((middle.x() - width / 2) * ratio) / ratio
            top = round((middle.y() - height / 2) * ratio) / ratio
            size = self._fitted_size(self._pixels)
            return QRectF(left, top, size.width() / ratio, size.height() / ratio)
        left = middle.x() - self._centre.x() * self._zoom
        top = middle.y() - self._centre.y() * self._zoom
        return QRectF(left, top, width, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._pixels is None:
            return
        with QPainter(self) as painter:
            target = self.picture_rect()
            smooth = self.scale * self.devicePixelRatioF() < _HARD_EDGES_FROM
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            if self._stand_in:
                self._paint_layer(painter, target, self._stand_in)
            elif self._zoom is None or not self._levels:
                painter.drawImage(target, self._fitted)
            else:
                self._paint_part(painter, target)
            if self._overlay:
                if not self._stand_in:
                    painter.setClipRect(target)
                self._paint_layer(painter, target, self._overlay)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._zoom is not None:
            self._zoom_to(self._zoom, QRectF(self.rect()).center())
        self._settle.start()
        self.scale_changed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if self._pixels is not None and steps:
            self._zoom_to(self.scale * _STEP**steps, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._zoom is not None:
            self._drag = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None or self._zoom is None:
            super().mouseMoveEvent(event)
            return
        moved = event.position() - self._drag
        self._drag = event.position()
        self._centre -= moved / self._zoom
        self._keep_in_sight()
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self._show_cursor()
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._zoom is None:
            self.show_actual_size()
        else:
            self.fit()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_0:
                self.fit()
            case Qt.Key.Key_1:
                self.show_actual_size()
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom_in()
            case Qt.Key.Key_Minus:
                self.zoom_out()
            case _:
                super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._show_cursor()
        super().enterEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._drag = None
        super().hideEvent(event)

    # Scale and place

    def _fit_scale(self, pixels: Image.Image | None = None) -> float:
        pixels = pixels or self._pixels
        if pixels is None or self.width() < 1 or self.height() < 1:
            return 1.0
        width, height = self._extent(pixels)
        room = min(self.width() / width, self.height() / height)
        if max(pixels.size) < _TINY_SIDE:
            whole = max(1, math.floor(min(room, _LARGEST_TINY_FIT)))
            return min(room, whole)
        return min(room, _LARGEST_FIT)

    def _extent(self, pixels: Image.Image) -> tuple[int, int]:
        """What is to be seen, in the picture's pixels: it, or the square round it."""
        side = max(pixels.size)
        return (side, side) if self._fits_square else pixels.size

    def _fitted_size(self, pixels: Image.Image) -> QSize:
        """In device pixels."""
        scale = self._fit_scale(pixels) * self.devicePixelRatioF()
        width, height = (max(1, round(side * scale)) for side in pixels.size)
        return QSize(width, height)

    def _zoom_to(self, scale: float, around: QPointF) -> None:
        """Zoom so that what lies at `around` stays there; back to fitted below that."""
        if self._pixels is None:
            return
        before = self.picture_rect()
        point = (around - before.topLeft()) / self.scale
        if scale <= self._fit_scale():
            self._zoom = None
        else:
            self._zoom = min(scale, max(LARGEST_ZOOM, self._fit_scale()))
            middle = QRectF(self.rect()).center()
            self._centre = point + (middle - around) / self._zoom
            self._keep_in_sight()
            self._ask_levels()
        self._settle_view()

    def _keep_in_sight(self) -> None:
        if self._pixels is None or self._zoom is None:
            return
        centre = []
        sides = zip(
            self._pixels.size,
            self._extent(self._pixels),
            (self.width(), self.height()),
            (self._centre.x(), self._centre.y()),
            strict=True,
        )
        for side, extent, room, at in sides:
            # How far the middle of the view may go from the picture's.
            free = max(0.0, (extent - room / self._zoom) / 2)
            centre.append(min(max(at, side / 2 - free), side / 2 + free))
        self._centre = QPointF(*centre)

    def _settle_view(self) -> None:
        self._show_cursor()
        self.update()
        self.scale_changed.emit()

    def _show_cursor(self) -> None:
        if self._zoom is None:
            self.unsetCursor()
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor)

    def _forget_zoom(self) -> None:
        self._zoom = None
        self._levels = []
        self._asked_levels = False
        self._show_cursor()

    # Copies for the screen

    def _paint_layer(self, painter: QPainter, target: QRectF, layer: Layer) -> None:
        assert self._pixels is not None
        across, down = (
            room / side
            for room, side in zip((target.width(), target.height()), self._pixels.size, strict=True)
        )

        def on_screen(box: QRectF) -> QRectF:
            return QRectF(
                target.left() + box.left() * across,
                target.top() + box.top() * down,
                box.width() * across,
                box.height() * down,
            )

        smooth = QPainter.RenderHint.SmoothPixmapTransform
        painter.setRenderHint(smooth, not layer.has_hard_edges)
        painter.drawImage(on_screen(layer.box), layer.image)
        if layer.frame is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            # Light on dark, to be seen on any picture.
            for colour, width in ((QColor(0, 0, 0, 150), 4.0), (QColor(255, 255, 255, 230), 1.5)):
                painter.setPen(QPen(colour, width))
                painter.drawRoundedRect(on_screen(layer.frame), 4, 4)

    def _paint_part(self, painter: QPainter, target: QRectF) -> None:
        """From the smallest copy that has a pixel for each of the screen's."""
        assert self._pixels is not None
        wanted = target.width() * self.devicePixelRatioF()
        level = next((i for i in reversed(self._levels) if i.width() >= wanted), self._levels[0])
        seen = target.intersected(QRectF(self.rect()))
        factor = level.width() / target.width()
        source = QRectF(
            (seen.left() - target.left()) * factor,
            (seen.top() - target.top()) * factor,
            seen.width() * factor,
            seen.height() * factor,
        )
        painter.drawImage(seen, level, source)

    def _ask_fitted(self) -> None:
        pixels = self._next or self._pixels
        if pixels is None:
            return
        size = self._fitted_size(pixels)
        if self._next is None and size == self._fitted.size():
            return
        smooth = max(pixels.size) >= _TINY_SIDE
        key = (self._serial, "fitted", size.width(), size.height())
        self._previews.ask(key, partial(scaled, pixels, size, smooth))

    def _ask_levels(self) -> None:
        if self._asked_levels or self._pixels is None:
            return
        self._asked_levels = True
        pixels, count = self._pixels, 0
        while max(pixels.size) >> count >= 512 or count == 0:
            key = (self._serial, "level", count, 0)
            self._previews.ask(key, partial(_halved, pixels, count))
            count += 1

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case (self._serial, "fitted", int(width), int(height)):
                self._on_fitted(image, QSize(width, height))
            case (self._serial, "level", int(), int()) if not image.isNull():
                self._levels.append(image)
                self.update()

    def _on_fitted(self, image: QImage, size: QSize) -> None:
        pixels = self._next or self._pixels
        if pixels is None or image.isNull():
            return
        self._fitted = image
        if self._next is not None:
            self._pixels, self._next = self._next, None
            self._stand_in = self._overlay = None
            self._forget_zoom()
            self.shown.emit()
            self.scale_changed.emit()
        self.update()
        if size != self._fitted_size(pixels):
            self._settle.start()


def _halved(pixels: Image.Image, times: int) -> QImage:
    return to_image(pixels.reduce(2**times) if times else pixels)
