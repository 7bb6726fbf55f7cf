"""Token ids with their pieces in cells that wrap like words; the image's are one cell at first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QEvent, QPointF, QRect, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFont,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.widgets.theme import Theme

IMAGE = -200
_GAP = 4
_PADDING = 6
_PATCH_WIDTH = 34


class _Cell(NamedTuple):
    """One token, or all of the image's. `position` is its first in what the model reads."""

    text: str
    id: int
    position: int
    patch: int = -1
    is_fold: bool = False


class TokenFlow(QWidget):
    """As high as its cells need. The arrow keys go from cell to cell, Space opens the image.

    `described(str)`: a description of the cell under the pointer or the keys, "" for none.
    `patch_reached(int)`: the image's patch that is pointed at, -1 for none.
    """

    described = Signal(str)
    patch_reached = Signal(int)

    def __init__(self, theme: Theme, name: str):
        super().__init__()
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._theme = theme
        self._name = name
        self._ids: list[int] = []
        self._pieces: list[str] = []
        self._image_tokens = 0
        self._cells: list[_Cell] = []
        self._rects: list[QRect] = []
        self._current = -1
        self.is_open = False
        theme.changed.connect(self.update)

    @property
    def texts(self) -> list[str]:
        """What is on the cells, in order."""
        return [cell.text for cell in self._cells]

    @property
    def current(self) -> int:
        """The cell under the pointer or reached by keys, -1 for none."""
        return self._current

    def show_tokens(self, ids: Sequence[int], pieces: Sequence[str], image_tokens: int = 0) -> None:
        self._ids, self._pieces, self._image_tokens = list(ids), list(pieces), image_tokens
        self.is_open = False
        self._make_cells()

    def toggle_image(self) -> None:
        """Unfold or fold the image's tokens."""
        if IMAGE in self._ids:
            self.is_open = not self.is_open
            self._make_cells()
            self._select(self._ids.index(IMAGE))

    def cell_rect(self, index: int) -> QRect:
        return self._rects[index]

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._lay_out()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._lay_out()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, seen = self._theme, event.rect()
        small = self._small_font()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            for index, (cell, rect) in enumerate(zip(self._cells, self._rects, strict=True)):
                if not rect.intersects(seen):
                    continue
                is_image = cell.is_fold or cell.patch >= 0
                ground = theme.colour("accent_soft" if is_image else "surface")
                edge = theme.colour("accent" if index == self._current else "border")
                width = 2.0 if index == self._current else 1.0
                painter.setPen(QPen(edge, width))
                painter.setBrush(ground)
                painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 5, 5)
                top, below = self._halves(rect)
                painter.setPen(theme.colour("text"))
                if cell.patch >= 0:
                    painter.setFont(small)
                    painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, cell.text)
                    continue
                painter.setFont(self.font())
                painter.drawText(top, Qt.AlignmentFlag.AlignCenter, cell.text)
                painter.setFont(small)
                painter.setPen(theme.colour("text_quiet"))
                words = self.tr("click to expand") if cell.is_fold else str(cell.id)
                painter.drawText(below, Qt.AlignmentFlag.AlignCenter, words)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._select(self._at(event.position()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._at(event.position())
        if index >= 0 and self._cells[index].id == IMAGE:
            self.toggle_image()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if not self.hasFocus():
            self._select(-1)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_key = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        )
        if by_key and self._current < 0 and self._cells:
            self._select(0)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._select(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._cells) - 1
        match event.key():
            case Qt.Key.Key_Left:
                self._select(max(0, self._current - 1))
            case Qt.Key.Key_Right:
                self._select(min(last, self._current + 1))
            case Qt.Key.Key_Up:
                self._select(self._in_line(-1))
            case Qt.Key.Key_Down:
                self._select(self._in_line(1))
            case Qt.Key.Key_Home:
                self._select(min(0, last))
            case Qt.Key.Key_End:
                self._select(last)
            case Qt.Key.Key_Space | Qt.Key.Key_Return | Qt.Key.Key_Enter:
                if self._current >= 0 and self._cells[self._current].id == IMAGE:
                    self.toggle_image()
            case _:
                super().keyPressEvent(event)

    # Cells and their rectangles

    def _make_cells(self) -> None:
        self._cells = []
        position = 0
        for number, piece in zip(self._ids, self._pieces, strict=True):
            if number != IMAGE:
                self._cells.append(_Cell(_shown(piece), number, position))
                position += 1
                continue
            if self.is_open:
                self._cells += [
                    _Cell(str(patch + 1), number, position + patch, patch)
                    for patch in range(self._image_tokens)
                ]
            else:
                text = self.tr("image × {count}").format(count=self._image_tokens)
                self._cells.append(_Cell(text, number, position, is_fold=True))
            position += self._image_tokens
        self._current = -1
        text = "".join(cell.text for cell in self._cells if cell.patch < 0)
        self.setAccessibleDescription(f"{self._name}: {text}")
        self._lay_out()

    def _lay_out(self) -> None:
        metrics = QFontMetrics(self.font())
        small = QFontMetrics(self._small_font())
        full, low = metrics.height() + small.height() + 4, small.height() + 6
        widths: dict[str, int] = {}
        x = y = line = 0
        self._rects = []
        for cell in self._cells:
            if cell.patch >= 0:
                width, height = _PATCH_WIDTH, low
            else:
                key = f"{cell.text}\n{cell.id}"
                if key not in widths:
                    below = self.tr("click to expand") if cell.is_fold else str(cell.id)
                    inner = max(
                        metrics.horizontalAdvance(cell.text), small.horizontalAdvance(below)
                    )
                    widths[key] = min(inner + 2 * _PADDING, max(1, self.width()))
                width, height = widths[key], full
            if x and (x + width > self.width() or (line and line != height)):
                x, y = 0, y + line + _GAP
                line = 0
            self._rects.append(QRect(x, y, width, height))
            x += width + _GAP
            line = max(line, height)
        self.setFixedHeight(max(1, y + line))
        self.update()

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(max(10, self._theme.body_pixels - 3))
        return font

    def _halves(self, rect: QRect) -> tuple[QRect, QRect]:
        split = rect.top() + QFontMetrics(self.font()).height() + 2
        return (
            QRect(rect.left(), rect.top() + 2, rect.width(), split - rect.top() - 1),
            QRect(rect.left(), split, rect.width(), rect.bottom() - split - 1),
        )

    def _at(self, point: QPointF) -> int:
        spot = point.toPoint()
        hits = (index for index, rect in enumerate(self._rects) if rect.contains(spot))
        return next(hits, -1)

    def _in_line(self, step: int) -> int:
        """The cell nearest to the current one in the line above or below it."""
        if self._current < 0:
            return min(0, len(self._cells) - 1)
        here = self._rects[self._current]
        tops = sorted({rect.top() for rect in self._rects})
        line = tops.index(here.top()) + step
        if not 0 <= line < len(tops):
            return self._current
        there = [i for i, rect in enumerate(self._rects) if rect.top() == tops[line]]
        return min(there, key=lambda i: abs(self._rects[i].center().x() - here.center().x()))

    def _select(self, index: int) -> None:
        if index == self._current:
            return
        self._current = index
        cell = self._cells[index] if index >= 0 else None
        self.update()
        self.patch_reached.emit(cell.patch if cell else -1)
        self.described.emit(self._description(cell) if cell else "")

    def _description(self, cell: _Cell) -> str:
        if cell.is_fold:
            last = cell.position + self._image_tokens - 1
            return self.tr("Positions {first} to {last}, the image").format(
                first=cell.position, last=last
            )
        if cell.patch >= 0:
            return self.tr("Position {position}, patch {number} of the image").format(
                position=cell.position, number=cell.patch + 1
            )
        return self.tr("Position {position}, id {id}").format(position=cell.position, id=cell.id)


def _shown(piece: str) -> str:
    """A piece as it is drawn: its leading blank, which belongs to the token, as a raised dot."""
    return piece.replace("▁", "·") or "?"
