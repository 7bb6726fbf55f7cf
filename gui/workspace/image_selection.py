"""Which images of the list are selected, by their ids."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QItemSelectionRange

from gui.workspace.image_rows import ImageRows

_Flag = QItemSelectionModel.SelectionFlag


class ImageSelection:
    """Reads and sets the selection of a view, as ranges: 100,000 images are one of them."""

    def __init__(self, rows: ImageRows, selection_model: QItemSelectionModel):
        self._rows, self._model = rows, selection_model

    @property
    def ids(self) -> list[int]:
        """The ids of the selected images, in the order of the list."""
        ids: list[int] = []
        for part in sorted(self._ranges(), key=lambda one: one.top()):
            ids += self._rows.ids[part.top() : part.bottom() + 1]
        return ids

    @property
    def count(self) -> int:
        """How many images are selected."""
        return sum(part.height() for part in self._ranges())

    def select_ids(self, ids: set[int]) -> None:
        """Selects these images, and no others; those that are not listed are passed over."""
        places = sorted(place for one in ids if (place := self._rows.row_of(one)) is not None)
        selection = QItemSelection()
        begin = end = -2
        for place in [*places, -2]:
            if place != end + 1:
                if begin >= 0:
                    selection.select(self._rows.index(begin, 0), self._rows.index(end, 0))
                begin = place
            end = place
        self._model.select(selection, _Flag.ClearAndSelect)

    def invert(self) -> None:
        """Selects all images that are not selected, and no others."""
        if count := self._rows.rowCount():
            whole = QItemSelection(self._rows.index(0, 0), self._rows.index(count - 1, 0))
            self._model.select(whole, _Flag.Toggle)

    def _ranges(self) -> list[QItemSelectionRange]:
        selection: Any = self._model.selection()  # A list, which its type does not say.
        return list(selection)
