"""Shows a picture: fitted, zoomed by wheel or key, moved by dragging."""

from __future__ import annotations

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
from gui.picture.placement import TINY_SIDE, Placement
from gui.widgets.focus_ring import is_by_key, paint_focus
from gui.widgets.preview import PreviewMaker, scaled, to_image

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
        self._placement = Placement(self)
        self._drag: QPointF | None = None
        self._stand_in: Layer | None = None
        self._overlay: Layer | None = None
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
        return self._placement.zoom is None

    @property
    def scale(self) -> float:
        """Logical pixels of the screen per pixel of the picture."""
        return self._placement.scale

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
        zoom, centre = self._placement.zoom, self._placement.centre
        return None if zoom is None else (zoom, centre.x(), centre.y())

    def restore(self, zoom: tuple[float, float, float] | None) -> None:
        """Shows the picture that `show_pixels` was called with as it was zoomed before."""
        self._next_zoom = zoom

    def fit_square(self, is_square: bool) -> None:
        """Fits the padded square that models are given, instead of the picture alone."""
        if is_square != self._placement.fits_square:
            self._placement.fits_square = is_square
            self._placement.keep_in_view()
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
        self._pixels = self._next = self._placement.size = None
        self._fitted = QImage()
        self._stand_in = self._overlay = None
        self._reset_zoom()
        self.update()

    def fit(self) -> None:
        """Shows the whole picture."""
        if not self.is_fitted:
            self._placement.zoom = None
            self._update_view()

    def show_actual_size(self) -> None:
        """Zooms to one pixel of the picture per device pixel."""
        self._zoom_to(1 / self.devicePixelRatioF(), self._placement.view.center())

    def zoom_in(self) -> None:
        """Enlarges by a quarter around the centre."""
        self._zoom_to(self.scale * _STEP, self._placement.view.center())

    def zoom_out(self) -> None:
        """Reduces by a fifth around the centre."""
        self._zoom_to(self.scale / _STEP, self._placement.view.center())

    def picture_rect(self) -> QRectF:
        """Returns where the whole picture lies in this widget; parts of it may be outside."""
        return self._placement.rect()

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
            elif self.is_fitted or not self._levels:
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
        if (zoom := self._placement.zoom) is not None:
            self._zoom_to(zoom, self._placement.view.center())
        self._resize_timer.start()
        self.scale_changed.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        if self._pixels is not None and steps:
            self._zoom_to(self.scale * _STEP**steps, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self.is_fitted:
            self._drag = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is None or self.is_fitted:
            super().mouseMoveEvent(event)
            return
        moved = event.position() - self._drag
        self._drag = event.position()
        self._placement.move(moved)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._drag = None
        self._show_cursor()
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.is_fitted:
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

    # Inside

    def _zoom_to(self, scale: float, around: QPointF, point: QPointF | None = None) -> None:
        if self._pixels is not None:
            self._placement.zoom_to(scale, around, point)
            if not self.is_fitted:
                self._ask_levels()
            self._update_view()

    def _update_view(self) -> None:
        self._show_cursor()
        self.update()
        self.scale_changed.emit()

    def _show_cursor(self) -> None:
        if self.is_fitted:
            self.unsetCursor()
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor)

    def _reset_zoom(self) -> None:
        self._placement.zoom = None
        self._levels = []
        self._asked_levels = False
        self._show_cursor()

    # Copies for the screen

    def _paint_part(self, painter: QPainter, target: QRectF) -> None:
        """Paints from the smallest copy that has a pixel for each device pixel."""
        assert self._pixels is not None
        wanted = target.width() * self.devicePixelRatioF()
        level = next((i for i in reversed(self._levels) if i.width() >= wanted), self._levels[0])
        paint_seen(painter, level, target, self._placement.view)

    def _ask_fitted(self) -> None:
        pixels = self._next or self._pixels
        if pixels is None:
            return
        size = self._placement.fitted_size(pixels.size)
        if self._next is None and size == self._fitted.size():
            return
        smooth = max(pixels.size) >= TINY_SIDE
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
            self._placement.size = pixels.size
            self._stand_in = self._overlay = None
            self._reset_zoom()
            if self._next_zoom is not None:
                scale, x, y = self._next_zoom
                self._zoom_to(scale, self._placement.view.center(), QPointF(x, y))
            self.shown.emit()
            self.scale_changed.emit()
        self.update()
        if size != self._placement.fitted_size(pixels.size):
            self._resize_timer.start()


def _halved(pixels: Image.Image, times: int) -> QImage:
    return to_image(pixels.reduce(2**times) if times else pixels)
