"""Where the cells of a grid or a list are: all have one size, so that a place is arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import QAbstractItemView

_Action = QAbstractItemView.CursorAction


@dataclass(frozen=True)
class CellLayout:
    """`count` cells in a view of this width. All places are those in the whole list, unscrolled.

    `least` is the size of a cell; the cells of a line share what remains of its width. Where it
    `is_mirrored`, lines begin at the right.
    """

    count: int
    width: int
    least: QSize
    is_grid: bool
    is_mirrored: bool = False

    @property
    def columns(self) -> int:
        """How many cells stand beside each other."""
        return max(1, self.width // self.least.width()) if self.is_grid else 1

    @property
    def height(self) -> int:
        """The height of the whole list."""
        return -(-self.count // self.columns) * self.least.height()

    def rect(self, row: int) -> QRect:
        """Returns the place of a cell."""
        columns, height = self.columns, self.least.height()
        line, column = divmod(row, columns)
        left, right = column * self.width // columns, (column + 1) * self.width // columns
        rect = QRect(left, line * height, right - left, height)
        return self._mirrored(rect) if self.is_mirrored else rect

    def row_at(self, point: QPoint) -> int | None:
        """Returns the cell that covers a point; None if there is none."""
        columns = self.columns
        x = self.width - 1 - point.x() if self.is_mirrored else point.x()
        line = point.y() // self.least.height()
        row = line * columns + self._column_at(x)
        return row if line >= 0 and x >= 0 and 0 <= row < self.count else None

    def rows_between(self, top: int, bottom: int) -> range:
        """Returns the cells of all lines that this strip touches."""
        columns, height = self.columns, self.least.height()
        first = max(0, top // height * columns)
        return range(first, min(self.count, (bottom // height + 1) * columns))

    def parts_in(self, area: QRect) -> Iterator[tuple[int, int]]:
        """Yields the first and the last cell of each line's part that an area touches."""
        columns, height = self.columns, self.least.height()
        area = self._mirrored(area) if self.is_mirrored else area
        first, last = self._column_at(area.left()), self._column_at(area.right())
        for line in range(max(0, area.top() // height), max(0, area.bottom() // height) + 1):
            begin, end = line * columns + first, min(line * columns + last, self.count - 1)
            if begin <= end:
                yield begin, end

    def moved(self, at: int, action: _Action, page_height: int, top: int = 0) -> int:
        """Returns the cell that a key of the cursor leads to from the cell `at`; from none, -1, to
        the first of those that are in view from `top` on, or going back to the last one."""
        columns = self.columns
        page = columns * max(1, page_height // self.least.height())
        to_left = 1 if self.is_mirrored else -1
        steps = {
            _Action.MoveLeft: to_left,
            _Action.MovePrevious: -1,
            _Action.MoveRight: -to_left,
            _Action.MoveNext: 1,
            _Action.MoveUp: -columns,
            _Action.MoveDown: columns,
            _Action.MovePageUp: -page,
            _Action.MovePageDown: page,
            _Action.MoveHome: -self.count,
            _Action.MoveEnd: self.count,
        }
        row = at + steps.get(action, 0)
        if at < 0 and action not in (_Action.MoveHome, _Action.MoveEnd):
            row = self._entry(top, page_height, is_back=row < at)
        elif action is _Action.MoveUp and row < 0:
            row = at
        is_last_line = at // columns == (self.count - 1) // columns
        if action is _Action.MoveDown and row >= self.count and is_last_line:
            row = at
        return min(max(row, 0), self.count - 1)

    def _entry(self, top: int, height: int, *, is_back: bool) -> int:
        """The first or last cell of the lines that are wholly in view."""
        line = self.least.height()
        first = -(-top // line) * self.columns
        last = (top + height) // line * self.columns - 1
        return max(first, last) if is_back else first

    def _column_at(self, x: int) -> int:
        """The nearest column, as `rect` divides the width."""
        column = ((x + 1) * self.columns - 1) // max(1, self.width)
        return min(self.columns - 1, max(0, column))

    def _mirrored(self, rect: QRect) -> QRect:
        return QRect(self.width - 1 - rect.right(), rect.top(), rect.width(), rect.height())
