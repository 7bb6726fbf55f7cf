"""A selection of rows that may be scattered over 100,000 of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Slot,
)

_Flag = QItemSelectionModel.SelectionFlag
_TURNED = bytes((1, 0, *range(2, 256)))
_RUN = re.compile(rb"\x01+")
# So many ranges Qt's own model is given, which compares each with each: for 30,000 the window would
# stand still for seconds.
_MOST_RANGES = 200

_Index = QModelIndex | QPersistentModelIndex
_Parts = Sequence[tuple[int, int]]


class SelectionModel(QItemSelectionModel):
    """Keeps a byte for each row: 1 for a selected one. Qt's own model knows the same as long as
    there are few ranges, as screen readers ask it, and the first ranges if there are more.

    Rows are not inserted or removed, only all replaced; then none is selected.
    """

    def __init__(self, rows: QAbstractItemModel, parent: QObject):
        super().__init__(rows, parent)
        self._rows = rows
        self._flags = bytes(rows.rowCount())
        # What was selected before the gesture under way, which does this to these parts.
        self._base = bytearray(self._flags)
        self._parts: _Parts = ()
        self._command = _Flag.NoUpdate
        self._known_to_qt: _Parts = ()
        rows.modelReset.connect(self._on_reset)

    @property
    def flags(self) -> bytes:
        """Returns a byte for each row: 1 for a selected one, and 0."""
        return self._flags

    def set_flags(self, flags: bytes) -> None:
        """Selects these rows, and no others."""
        self._base, self._parts, self._command = bytearray(flags), (), _Flag.NoUpdate
        self._show(flags)

    def select(
        self, selection: QItemSelection | _Index, command: QItemSelectionModel.SelectionFlag
    ) -> None:
        """Does what Qt's own does: with `Current`, the last change is made another one."""
        if command == _Flag.NoUpdate:
            return
        if command & _Flag.Clear:
            self._base, self._parts = bytearray(len(self._flags)), ()
        if not command & _Flag.Current:
            self._base, self._parts = self._changed(), ()
        if command & (_Flag.Select | _Flag.Deselect | _Flag.Toggle):
            self._parts, self._command = _parts_of(selection), command
        self._show(bytes(self._changed()))

    def _changed(self) -> bytearray:
        flags = bytearray(self._base)
        for first, last in self._parts:
            part = slice(first, last + 1)
            if self._command & _Flag.Toggle:
                flags[part] = flags[part].translate(_TURNED)
            else:
                value = b"\1" if self._command & _Flag.Select else b"\0"
                flags[part] = value * len(flags[part])
        return flags

    def _show(self, flags: bytes) -> None:
        if flags == self._flags:
            return
        self._flags = flags
        parts = [(run.start(), run.end() - 1) for run in islice(_RUN.finditer(flags), _MOST_RANGES)]
        if parts == self._known_to_qt:
            self.selectionChanged.emit(QItemSelection(), QItemSelection())
            return
        self._known_to_qt = parts
        selection = QItemSelection()
        for first, last in parts:
            selection.select(self._rows.index(first, 0), self._rows.index(last, 0))
        super().select(selection, _Flag.ClearAndSelect if parts else _Flag.Clear)

    @Slot()
    def _on_reset(self) -> None:
        self._flags = bytes(self._rows.rowCount())
        self._base, self._parts = bytearray(self._flags), ()
        self._known_to_qt = ()


def _parts_of(selection: QItemSelection | _Index) -> _Parts:
    """Returns the first and last rows of what is selected."""
    if isinstance(selection, QItemSelection):
        ranges: Iterable[Any] = selection  # type: ignore[assignment]  (a list, its type says not)
        return [(one.top(), one.bottom()) for one in ranges if one.isValid()]
    return [(selection.row(), selection.row())] if selection.isValid() else []
