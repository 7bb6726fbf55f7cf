"""A rectangle on the picture, with handles: the part that questions are about."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from core.picture import SMALLEST_PART
from gui.picture.picture_view import PictureView

_HANDLE = 9
_GRASP = 8
# A press that moves less is a click.
_LEAST_DRAG = 4
_STEPS = 50
_VEIL = QColor(0, 0, 0, 110)
_LINES = ((QColor(0, 0, 0, 150), 4.0), (QColor(255, 255, 255, 240), 1.5))
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
# Which sides a handle moves: -1 for left or top, 1 for right or bottom, 0 for neither.
_HANDLES = tuple((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y)
_CURSORS = {
    (-1, -1): Qt.CursorShape.SizeFDiagCursor,
    (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (1, -1): Qt.CursorShape.SizeBDiagCursor,
    (-1, 1): Qt.CursorShape.SizeBDiagCursor,
    (-1, 0): Qt.CursorShape.SizeHorCursor,
    (1, 0): Qt.CursorShape.SizeHorCursor,
    (0, -1): Qt.CursorShape.SizeVerCursor,
    (0, 1): Qt.CursorShape.SizeVerCursor,
    (0, 0): Qt.CursorShape.SizeAllCursor,
}


class PartFrame(QWidget):
    """Lies over a picture view, and takes of its mouse what is for the rectangle: Shift and a drag
    draws one, its handles resize it, its inside moves it. Of the view's keys it takes the arrows,
    which move it, or resize it with Shift.

    `changed()`: `box` is another one. `refused()`: what was drawn is too small.
    """

    changed = Signal()
    refused = Signal()

    def __init__(self, view: PictureView):
        super().__init__(view)
        self.setObjectName("part_frame")
        self.setMouseTracking(True)
        self.setGeometry(view.rect())
        self._view = view
        self._box: QRectF | None = None
        self._before: QRectF | None = None
        self._pressed: QPointF | None = None
        self._handle: tuple[int, int] | None = None
        view.installEventFilter(self)
        view.shown.connect(self.remove)
        view.scale_changed.connect(self.update)

    @property
    def box(self) -> QRectF | None:
        """The rectangle in the picture's pixels; None for none."""
        return QRectF(self._box) if self._box is not None else None

    def show_box(self, box: QRectF) -> None:
        """Shows a rectangle, in the picture's pixels."""
        self._set(box.intersected(self._picture))

    @Slot()
    def remove(self) -> None:
        """Shows none."""
        self._pressed = None
        self._set(None)

    @Slot()
    def toggle(self) -> None:
        """Shows a rectangle in the middle of what is seen of the picture, or removes it."""
        if self._box is not None:
            self.remove()
            return
        seen = self._on_picture(QRectF(self.rect())).intersected(self._picture)
        width, height = (max(side / 2, self._least(side)) for side in (seen.width(), seen.height()))
        box = QRectF(0, 0, width, height)
        box.moveCenter(seen.center())
        if self._is_too_small(box):
            self.refused.emit()
            return
        self._set(self._moved(box, (0, 0), QPointF()))
        self._view.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event.type():
            case QEvent.Type.Resize:
                self.setGeometry(self._view.rect())
            case QEvent.Type.KeyPress if isinstance(event, QKeyEvent) and self._box is not None:
                return self._take_key(event)
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._box is None:
            return
        box = self._on_screen(self._box)
        with QPainter(self) as painter:
            painter.setClipRect(self._view.picture_rect())
            for outside in _around(box, QRectF(self.rect())):
                painter.fillRect(outside, _VEIL)
            painter.setClipping(False)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for colour, width in _LINES:
                painter.setPen(QPen(colour, width))
                painter.drawRect(box)
            painter.setPen(QPen(QColor(0, 0, 0, 200), 1))
            painter.setBrush(QColor(255, 255, 255))
            for handle in _HANDLES:
                square = QRectF(0, 0, _HANDLE, _HANDLE)
                square.moveCenter(_place(box, handle))
                painter.drawRect(square)

    # The mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        is_left = event.button() == Qt.MouseButton.LeftButton
        is_drawn = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._handle = None if is_drawn else self._handle_at(at)
        if not is_left or not self._view.has_picture or not (is_drawn or self._handle):
            event.ignore()
            return
        self._pressed, self._before = at, self.box
        self._view.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if self._pressed is None:
            self._show_cursor(at)
            event.ignore()
            return
        start, now = self._point(self._pressed), self._point(at)
        if self._handle is None:
            if (at - self._pressed).manhattanLength() >= _LEAST_DRAG:
                box = QRectF(self._inside(start), self._inside(now)).normalized()
                self._set(box)
        elif self._before is not None:
            self._set(self._moved(self._before, self._handle, now - start))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            event.ignore()
            return
        self._pressed = None
        if self._box is not None and self._is_too_small(self._box):
            self._set(self._before)
            self.refused.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._handle_at(event.position()) is None:
            event.ignore()

    def _handle_at(self, at: QPointF) -> tuple[int, int] | None:
        """Returns the handle there, (0, 0) for the inside."""
        if self._box is None:
            return None
        box = self._on_screen(self._box)
        near = [one for one in _HANDLES if _distance(at, _place(box, one)) <= _GRASP]
        if near:
            return min(near, key=lambda one: _distance(at, _place(box, one)))
        return (0, 0) if box.contains(at) else None

    def _show_cursor(self, at: QPointF) -> None:
        handle = self._handle_at(at)
        if handle is None:
            self.unsetCursor()
        else:
            self.setCursor(_CURSORS[handle])

    # Keys

    def _take_key(self, event: QKeyEvent) -> bool:
        arrow = _ARROWS.get(Qt.Key(event.key()))
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        is_resized = modifiers == Qt.KeyboardModifier.ShiftModifier
        if arrow is None or self._box is None or (modifiers and not is_resized):
            return False
        step = max(1.0, round(max(self._view.pixel_size) / _STEPS))
        by = QPointF(arrow[0] * step, arrow[1] * step)
        self._set(self._moved(self._box, (1, 1) if is_resized else (0, 0), by))
        return True

    # The rectangle

    def _moved(self, box: QRectF, handle: tuple[int, int], by: QPointF) -> QRectF:
        """Returns the box with the sides of a handle moved, or all of it; inside the picture."""
        if handle == (0, 0):
            box = box.translated(by)
            left = min(max(box.left(), 0), self._picture.width() - box.width())
            top = min(max(box.top(), 0), self._picture.height() - box.height())
            return QRectF(left, top, box.width(), box.height())
        left, right = _pulled(box.left(), box.right(), handle[0], by.x(), self._picture.width())
        top, bottom = _pulled(box.top(), box.bottom(), handle[1], by.y(), self._picture.height())
        return QRectF(left, top, right - left, bottom - top)

    def _set(self, box: QRectF | None) -> None:
        if box != self._box:
            self._box = box
            self.update()
            self.changed.emit()
        if box is None:
            self.unsetCursor()

    def _is_too_small(self, box: QRectF) -> bool:
        return min(round(box.width()), round(box.height())) < SMALLEST_PART

    def _least(self, side: float) -> float:
        return min(float(SMALLEST_PART), side)

    @property
    def _picture(self) -> QRectF:
        return QRectF(0, 0, *self._view.pixel_size)

    def _inside(self, point: QPointF) -> QPointF:
        width, height = self._view.pixel_size
        return QPointF(min(max(point.x(), 0), width), min(max(point.y(), 0), height))

    def _point(self, at: QPointF) -> QPointF:
        return self._on_picture(QRectF(at, at)).topLeft()

    def _on_picture(self, area: QRectF) -> QRectF:
        """Returns an area of the screen in the picture's pixels."""
        corner, scale = self._view.picture_rect().topLeft(), self._view.scale
        left_top, right_bottom = (
            (one - corner) / scale for one in (area.topLeft(), area.bottomRight())
        )
        return QRectF(left_top, right_bottom)

    def _on_screen(self, box: QRectF) -> QRectF:
        corner, scale = self._view.picture_rect().topLeft(), self._view.scale
        return QRectF(box.topLeft() * scale + corner, box.size() * scale)


def _pulled(low: float, high: float, side: int, by: float, most: float) -> tuple[float, float]:
    """Returns both ends after one was moved; they stay apart, and inside."""
    if side < 0:
        low = min(max(low + by, 0.0), high - SMALLEST_PART)
    elif side > 0:
        high = max(min(high + by, most), low + SMALLEST_PART)
    return low, high


def _place(box: QRectF, handle: tuple[int, int]) -> QPointF:
    centre = box.center()
    return QPointF(
        centre.x() + handle[0] * box.width() / 2, centre.y() + handle[1] * box.height() / 2
    )


def _distance(one: QPointF, other: QPointF) -> float:
    return max(abs(one.x() - other.x()), abs(one.y() - other.y()))


def _around(box: QRectF, area: QRectF) -> tuple[QRectF, ...]:
    """Returns what is left of an area outside of a box."""
    return (
        QRectF(area.left(), area.top(), area.width(), box.top() - area.top()),
        QRectF(area.left(), box.bottom(), area.width(), area.bottom() - box.bottom()),
        QRectF(area.left(), box.top(), box.left() - area.left(), box.height()),
        QRectF(box.right(), box.top(), area.right() - box.right(), box.height()),
    )
