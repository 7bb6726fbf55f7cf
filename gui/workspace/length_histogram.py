"""How long captions are, as bars."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from core.workspace import Bar
from gui.widgets.focus_ring import paint_focus
from gui.widgets.text_direction import elided
from gui.widgets.theme import Theme

_MARGIN = 8
_GAP = 2


class LengthHistogram(QWidget):
    """`chosen(Bar)`: images with captions of these lengths are wanted.

    The bar under the pointer, or the one that the arrow keys have moved to, is said in words below
    all of them, and to screen readers.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme):
        super().__init__()
        self.setObjectName("length_histogram")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._theme = theme
        self._bars: Sequence[Bar] = ()
        self._current = -1
        theme.changed.connect(self.update)
        self._say()

    @property
    def current(self) -> Bar | None:
        """The bar that is said in words."""
        return self._bars[self._current] if 0 <= self._current < len(self._bars) else None

    @property
    def text(self) -> str:
        """What is said of the bars, or of the current one."""
        bar = self.current
        if not self._bars:
            return self.tr("No captions")
        if bar is None:
            return self.tr("0 to {most} characters").format(most=f"{self._bars[-1].last + 1:,}")
        text = self.tr("{first} to {last} characters: {count}")
        return text.format(first=f"{bar.first:,}", last=f"{bar.last:,}", count=f"{bar.count:,}")

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Shows these bars."""
        if bars != self._bars:
            self._bars = bars
            if self._current >= len(bars):
                self._current = -1
            self._say()

    def sizeHint(self) -> QSize:
        return QSize(160, 96)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 56)

    def bar_rect(self, place: int) -> QRect:
        """Returns where the bar in this place is, as high as the highest could be."""
        area = self._area
        width = area.width() / max(len(self._bars), 1)
        left = round(area.left() + place * width)
        right = round(area.left() + (place + 1) * width)
        gap = _GAP if width > 2 * _GAP else 0
        return QRect(left, area.top(), max(right - left - gap, 1), area.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        most = max((bar.count for bar in self._bars), default=1)
        for place, bar in enumerate(self._bars):
            rect = self.bar_rect(place)
            height = max(round(rect.height() * bar.count / most), 2 if bar.count else 0)
            rect.setTop(rect.bottom() - height + 1)
            is_current = place == self._current
            if height:
                token = "accent" if is_current else "border_strong"
                painter.fillRect(rect, self._theme.colour(token))
            if is_current:
                line = QRect(rect.left(), self._area.bottom() + 2, rect.width(), 2)
                painter.fillRect(line, self._theme.colour("accent"))
        area = self._area
        painter.setPen(self._theme.colour("border_strong"))
        painter.drawLine(area.bottomLeft() + QPoint(0, 1), area.bottomRight() + QPoint(0, 1))
        painter.setPen(self._theme.colour("text_quiet"))
        below = QRect(area.left(), area.bottom() + 4, area.width(), self.fontMetrics().height())
        text = elided(self.fontMetrics(), self.text, Qt.TextElideMode.ElideRight, below.width())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, text)
        if self.hasFocus():
            paint_focus(painter, self)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._go_to(self._place_at(event.position().toPoint()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._go_to(self._place_at(event.position().toPoint()))
        if event.button() == Qt.MouseButton.LeftButton:
            self._choose()

    def leaveEvent(self, event: QEvent) -> None:
        if not self.hasFocus():
            self._go_to(-1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._current < 0:
            self._go_to(0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._go_to(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._bars) - 1
        match event.key():
            case Qt.Key.Key_Left:
                self._go_to(max(self._current - 1, 0))
            case Qt.Key.Key_Right:
                self._go_to(min(self._current + 1, last))
            case Qt.Key.Key_Home:
                self._go_to(0)
            case Qt.Key.Key_End:
                self._go_to(last)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Space:
                self._choose()
            case _:
                super().keyPressEvent(event)

    @property
    def _area(self) -> QRect:
        below = self.fontMetrics().height() + 6
        return self.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -below - 4)

    def _place_at(self, at: QPoint) -> int:
        area = self._area
        if not self._bars or not area.left() <= at.x() <= area.right():
            return -1
        return min((at.x() - area.left()) * len(self._bars) // area.width(), len(self._bars) - 1)

    def _go_to(self, place: int) -> None:
        if place != self._current and place < len(self._bars):
            self._current = place
            self._say()

    def _choose(self) -> None:
        if (bar := self.current) is not None:
            self.chosen.emit(bar)

    def _say(self) -> None:
        self.setAccessibleName(self.text)
        self.setToolTip(self.text)
        self.update()
