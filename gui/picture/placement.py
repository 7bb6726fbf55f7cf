"""Where a picture lies in the widget that shows it, and at which scale."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtWidgets import QWidget

LARGEST_ZOOM = 16.0
# A picture whose sides are all shorter is enlarged with hard edges.
TINY_SIDE = 64
# The largest scale of a fitted picture; a tiny one is enlarged further.
_LARGEST_FIT = 2.0
_LARGEST_TINY_FIT = 8.0

Size = tuple[int, int]


class Placement:
    """Fitted into a widget, or zoomed around a point of the picture.

    Sizes are in logical pixels unless it says otherwise; `size` is that of the picture in its own
    pixels, None without one. `zoom` is the scale, None while the whole picture is shown, and
    `centre` the point of the picture in the middle then. With `fits_square` the padded square that
    models are given is fitted, instead of the picture alone.
    """

    def __init__(self, widget: QWidget):
        self._widget = widget
        self.size: Size | None = None
        self.zoom: float | None = None
        self.centre = QPointF()
        self.fits_square = False

    @property
    def scale(self) -> float:
        """Logical pixels of the screen per pixel of the picture."""
        return self._fit_scale(self.size) if self.zoom is None else self.zoom

    @property
    def view(self) -> QRectF:
        """The widget's rectangle."""
        return QRectF(self._widget.rect())

    def fitted_size(self, size: Size) -> QSize:
        """Returns how large a picture of this size is while fitted, in device pixels."""
        scale = self._fit_scale(size) * self._widget.devicePixelRatioF()
        width, height = (max(1, round(side * scale)) for side in size)
        return QSize(width, height)

    def rect(self) -> QRectF:
        """Returns where the whole picture lies in the widget; parts of it may be outside."""
        if self.size is None:
            return QRectF()
        width, height = (side * self.scale for side in self.size)
        middle = self.view.center()
        if self.zoom is None:
            ratio = self._widget.devicePixelRatioF()
            left = round((middle.x() - width / 2) * ratio) / ratio
            top = round((middle.y() - height / 2) * ratio) / ratio
            size = self.fitted_size(self.size)
            return QRectF(left, top, size.width() / ratio, size.height() / ratio)
        left = middle.x() - self.centre.x() * self.zoom
        top = middle.y() - self.centre.y() * self.zoom
        return QRectF(left, top, width, height)

    def zoom_to(self, scale: float, around: QPointF, point: QPointF | None = None) -> None:
        """Zooms so that the point at `around` stays there, or `point` of the picture comes there;
        at the fitted scale and below, fits."""
        if point is None:
            point = (around - self.rect().topLeft()) / self.scale
        fitted = self._fit_scale(self.size)
        if scale <= fitted:
            self.zoom = None
        else:
            self.zoom = min(scale, max(LARGEST_ZOOM, fitted))
            self.centre = point + (self.view.center() - around) / self.zoom
            self.keep_in_view()

    def move(self, by: QPointF) -> None:
        """Moves a zoomed picture on the screen, as far as there is more of it."""
        if self.zoom is not None:
            self.centre -= by / self.zoom
            self.keep_in_view()

    def keep_in_view(self) -> None:
        """Moves a zoomed picture so that no more of the view is empty than must be."""
        if self.size is None or self.zoom is None:
            return
        centre = []
        sides = zip(
            self.size,
            self._extent(self.size),
            (self._widget.width(), self._widget.height()),
            (self.centre.x(), self.centre.y()),
            strict=True,
        )
        for side, extent, visible, at in sides:
            # How far the centre of the view may be from that of the picture.
            free = max(0.0, (extent - visible / self.zoom) / 2)
            centre.append(min(max(at, side / 2 - free), side / 2 + free))
        self.centre = QPointF(*centre)

    def _fit_scale(self, size: Size | None) -> float:
        if size is None or self._widget.width() < 1 or self._widget.height() < 1:
            return 1.0
        width, height = self._extent(size)
        fitting = min(self._widget.width() / width, self._widget.height() / height)
        if max(size) < TINY_SIDE:
            whole = max(1, math.floor(min(fitting, _LARGEST_TINY_FIT)))
            return min(fitting, whole)
        return min(fitting, _LARGEST_FIT)

    def _extent(self, size: Size) -> Size:
        """The size of what is fitted, in the picture's pixels: itself or the square around it."""
        side = max(size)
        return (side, side) if self.fits_square else size
