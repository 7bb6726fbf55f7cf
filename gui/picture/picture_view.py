"""Shows a picture: fitted, zoomed by wheel or key, moved by dragging."""

from __future__ import annotations

import math
from functools import partial

from PIL import Image
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.picture.layer import Layer, paint_seen
from gui.widgets.focus_ring import is_by_key, paint_focus
from gui.widgets.preview import PreviewMaker, scaled, to_image

LARGEST_ZOOM = 16.0
# The largest scale of a fitted picture; a tiny one is enlarged further, but with hard edges.
_LARGEST_FIT = 2.0
_TINY_SIDE = 64
_LARGEST_TINY_FIT = 8.0
_HARD_EDGES_FROM = 4.0
_SETTLE_MS = 60
_STEP = 1.25


class PictureView(QWidget):
    """Shows the decoded pixels, from which the model's input is made too.

    Sizes are in logical pixels unless it says otherwise. Fitted, it paints a copy of exactly the
    screen's pixels; zoomed, the visible part of a pyramid of halved copies. Both are made in the
    preview thread; until a new copy is ready the previous one is painted, so that nothing flickers
    or jumps. One layer can be shown instead of the picture, and one over it; both move with it.

    `scale_changed()`: `scale` or `is_fitted` changed. `shown()`: another picture is visible.
    """

    scale_changed = Signal()
    shown = Signal()

    def __init__(self, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self._previews = previews
        self._serial = 0
        self._pixels: Image.Image | None = None
        self._next: Image.Image | None = None
        self._next_zoom: tuple[float, float, float] | None = None
        self._fitted = QImage()
        self._levels: list[QImage] = []
        self._asked_levels = False
        self._zoom: float | None = None
        self._centre = QPointF()
        self._drag: QPointF | None = None
        self._stand_in: Layer | None = None
        self._overlay: Layer | None = None
        self._fits_square = False
        self._shows_focus = False
        self._resize_timer = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._resize_timer.timeout.connect(self._ask_fitted)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        previews.made.connect(self._on_made)

    @property
    def has_picture(self) -> bool:
        """Whether a picture is shown."""
        return self._pixels is not None

    @property
    def pixel_size(self) -> tuple[int, int]:
        """Width and height of the picture in its own pixels; zeros without one."""
        return self._pixels.size if self._pixels is not None else (0, 0)

    @property
    def is_fitted(self) -> bool:
        """Whether the whole picture is shown, at whatever scale that takes."""
        return self._zoom is None

    @property
    def scale(self) -> float:
        """Logical pixels of the screen per pixel of the picture."""
        return self._fit_scale() if self._zoom is None else self._zoom

    def show_pixels(self, pixels: Image.Image) -> None:
        """Shows an RGB picture, fitted, once its copy for the screen is made; `shown` follows."""
        self._serial += 1
        self._next, self._next_zoom = pixels, None
        self._ask_fitted()

    @property
    def zoom(self) -> tuple[float, float, float] | None:
        """The scale and the point of the picture in the middle; None where it is fitted."""
        if self._next is not None:
            return self._next_zoom
        return None if self._zoom is None else (self._zoom, self._centre.x(), self._centre.y())

    def restore(self, zoom: tuple[float, float, float] | None) -> None:
        """Shows the picture that `show_pixels` was called with as it was zoomed before."""
        self._next_zoom = zoom

    def fit_square(self, is_square: bool) -> None:
        """Fits the padded square that models are given, instead of the picture alone."""
        if is_square != self._fits_square:
            self._fits_square = is_square
            self._keep_in_view()
            self._resize_timer.start()
            self._update_view()

    def show_instead(self, layer: Layer | None) -> None:
        """Shows a layer instead of the picture; with None, the picture itself."""
        self._stand_in = layer
        self.update()

    def lay_over(self, layer: Layer | None) -> None:
        """Shows a translucent layer over the picture; None removes it."""
        self._overlay = layer
        self.update()

    def clear(self) -> None:
        """Shows nothing."""
        self._serial += 1
        self._pixels = self._next = None
        self._fitted = QImage()
        self._stand_in = self._overlay = None
        self._reset_zoom()
        self.update()

    def fit(self) -> None:
        """Shows the whole picture."""
        if self._zoom is not None:
            self._zoom = None
            self._update_view()

    def show_actual_size(self) -> None:
        """Zooms to one pixel of the picture per device pixel."""
        self._zoom_to(1 / self.devicePixelRatioF(), QRectF(self.rect()).center())

    def zoom_in(self) -> None:
        """Enlarges by a quarter around the centre."""
        self._zoom_to(self.scale * _STEP, QRectF(self.rect()).center())

    def zoom_out(self) -> None:
        """Reduces by a fifth around the centre."""
        self._zoom_to(self.scale / _STEP, QRectF(self.rect()).center())

    def picture_rect(self) -> QRectF:
        """Returns where the whole picture lies in this widget; parts of it may be outside."""
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
        with QPainter(self) as painter:
            self._paint_picture(painter)
            if self._shows_focus:
                paint_focus(painter, self)

    def _paint_picture(self, painter: QPainter) -> None:
        if self._pixels is not None:
            target = self.picture_rect()
            smooth = self.scale * self.devicePixelRatioF() < _HARD_EDGES_FROM
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            if self._stand_in:
                self._stand_in.paint(painter, target, self._pixels.size)
            elif self._zoom is None or not self._levels:
                painter.drawImage(target, self._fitted)
            else:
                self._paint_part(painter, target)
            if self._overlay:
                if not self._stand_in:
                    painter.setClipRect(target)
                self._overlay.paint(painter, target, self._pixels.size)
        painter.setClipping(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._shows_focus = is_by_key(event)
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._shows_focus = False
        super().focusOutEvent(event)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._zoom is not None:
            self._zoom_to(self._zoom, QRectF(self.rect()).center())
        self._resize_timer.start()
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
        self._keep_in_view()
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

    # Scale and position

    def _fit_scale(self, pixels: Image.Image | None = None) -> float:
        pixels = pixels or self._pixels
        if pixels is None or self.width() < 1 or self.height() < 1:
            return 1.0
        width, height = self._extent(pixels)
        fitting = min(self.width() / width, self.height() / height)
        if max(pixels.size) < _TINY_SIDE:
            whole = max(1, math.floor(min(fitting, _LARGEST_TINY_FIT)))
            return min(fitting, whole)
        return min(fitting, _LARGEST_FIT)

    def _extent(self, pixels: Image.Image) -> tuple[int, int]:
        """The size of what is fitted, in the picture's pixels: itself or the square around it."""
        side = max(pixels.size)
        return (side, side) if self._fits_square else pixels.size

    def _fitted_size(self, pixels: Image.Image) -> QSize:
        """In device pixels."""
        scale = self._fit_scale(pixels) * self.devicePixelRatioF()
        width, height = (max(1, round(side * scale)) for side in pixels.size)
        return QSize(width, height)

    def _zoom_to(self, scale: float, around: QPointF, point: QPointF | None = None) -> None:
        """Zooms so that the point at `around` stays there, or `point` of the picture comes there;
        at the fitted scale and below, fits."""
        if self._pixels is None:
            return
        if point is None:
            point = (around - self.picture_rect().topLeft()) / self.scale
        if scale <= self._fit_scale():
            self._zoom = None
        else:
            self._zoom = min(scale, max(LARGEST_ZOOM, self._fit_scale()))
            middle = QRectF(self.rect()).center()
            self._centre = point + (middle - around) / self._zoom
            self._keep_in_view()
            self._ask_levels()
        self._update_view()

    def _keep_in_view(self) -> None:
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
        for side, extent, visible, at in sides:
            # How far the centre of the view may be from that of the picture.
            free = max(0.0, (extent - visible / self._zoom) / 2)
            centre.append(min(max(at, side / 2 - free), side / 2 + free))
        self._centre = QPointF(*centre)

    def _update_view(self) -> None:
        self._show_cursor()
        self.update()
        self.scale_changed.emit()

    def _show_cursor(self) -> None:
        if self._zoom is None:
            self.unsetCursor()
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor)

    def _reset_zoom(self) -> None:
        self._zoom = None
        self._levels = []
        self._asked_levels = False
        self._show_cursor()

    # Copies for the screen

    def _paint_part(self, painter: QPainter, target: QRectF) -> None:
        """Paints from the smallest copy that has a pixel for each device pixel."""
        assert self._pixels is not None
        wanted = target.width() * self.devicePixelRatioF()
        level = next((i for i in reversed(self._levels) if i.width() >= wanted), self._levels[0])
        paint_seen(painter, level, target, QRectF(self.rect()))

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
            self._reset_zoom()
            if self._next_zoom is not None:
                scale, x, y = self._next_zoom
                self._zoom_to(scale, QRectF(self.rect()).center(), QPointF(x, y))
            self.shown.emit()
            self.scale_changed.emit()
        self.update()
        if size != self._fitted_size(pixels):
            self._resize_timer.start()


def _halved(pixels: Image.Image, times: int) -> QImage:
    return to_image(pixels.reduce(2**times) if times else pixels)
