"""The list model of a workspace: the images that the filter leaves, read when they come in view."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)

from core.workspace import ImageRow, ReviewState
from gui.widgets.translated import translated

_KEPT = 4000
# So many rows are asked for at a time: those around the ones in view come with them.
_AROUND = 30

Index = QModelIndex | QPersistentModelIndex


class ImageRows(QAbstractListModel):
    """The rows by their ids, in order. A row that is not read yet is asked for, and shown then.

    `rows_wanted(list[int])`: these ids are in view and not read yet; `take_rows` is the answer.
    `rows_changed()`: others are to be painted; the layout stays.
    """

    rows_wanted = Signal(object)
    rows_changed = Signal()

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._ids: Sequence[int] = ()
        self._rows: dict[int, ImageRow] = {}
        # What is asked for next, and where it is in the list.
        self._wanted: dict[int, int] = {}
        self._asked: set[int] = set()
        self._stale: set[int] = set()
        self._ask_timer = QTimer(self, interval=0, singleShot=True)
        self._ask_timer.timeout.connect(self._ask)

    @property
    def ids(self) -> Sequence[int]:
        """The ids in the order of the list."""
        return self._ids

    def set_ids(self, ids: Sequence[int]) -> None:
        """Lists other images, or the same in another order; what was read of them is kept."""
        self.beginResetModel()
        # They are in other places now, and are asked for there once they are painted.
        self._stale |= self._wanted.keys() & self._rows.keys()
        self._wanted.clear()
        self._ids = ids
        self.endResetModel()

    def clear(self) -> None:
        """Forgets everything: another folder is opened."""
        self._rows.clear()
        self._wanted.clear()
        self._asked.clear()
        self._stale.clear()
        self.set_ids(())

    def take_rows(self, rows: Iterable[ImageRow]) -> None:
        """Takes rows that were asked for, or that have changed."""
        for row in rows:
            self._asked.discard(row.id)
            self._stale.discard(row.id)
            self._rows.pop(row.id, None)
            self._rows[row.id] = row
        while len(self._rows) > _KEPT:
            del self._rows[next(iter(self._rows))]
        self.rows_changed.emit()

    def forget(self, ids: Collection[int] | None = None) -> None:
        """These have changed, or all: they are read again once they are in view.

        Until then what was known is shown."""
        changed = self._rows.keys() if ids is None else self._rows.keys() & set(ids)
        self._stale |= changed
        self._asked -= changed
        self.rows_changed.emit()

    def row_of(self, id: int) -> int | None:
        """Returns the place of an image in the list; None if the filter leaves it out."""
        # Quick in C, where a dictionary of 100,000 places would take 10 ms for each other list.
        try:
            return self._ids.index(id)
        except ValueError:
            return None

    def id_at(self, index: Index) -> int:
        """Returns the id of an image; the index must be valid."""
        return self._ids[index.row()]

    def image(self, index: Index) -> ImageRow | None:
        """Returns what is known of an image; asks for it if that is nothing yet."""
        id = self._ids[index.row()]
        row = self._rows.get(id)
        is_stale = id in self._stale
        if (row is None or is_stale) and id not in self._asked:
            self._stale.discard(id)
            self._wanted[id] = index.row()
            if not self._ask_timer.isActive():
                self._ask_timer.start()
        return row

    def known(self, id: int) -> ImageRow | None:
        """Returns what is known of an image, without asking for it."""
        return self._rows.get(id)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own default)
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or (row := self.image(index)) is None:
            return None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.path.name
            case Qt.ItemDataRole.ToolTipRole:
                marks = "  ·  ".join(self.marks(row))
                return "\n".join(filter(None, (row.path.name, marks, row.caption))) or None
            case Qt.ItemDataRole.AccessibleTextRole:
                caption = row.caption or ("" if row.has_caption else self.tr("No caption"))
                return ". ".join(filter(None, (row.path.name, *self.marks(row), caption)))
        return None

    def marks(self, row: ImageRow) -> list[str]:
        """Returns what the marks of an image mean."""
        reviews = {
            ReviewState.ACCEPTED: self.tr("Accepted"),
            ReviewState.REJECTED: self.tr("Rejected"),
            ReviewState.NEEDS_WORK: self.tr("Needs work"),
        }
        marks = [reviews[row.review]] if row.review in reviews else []
        if row.is_edited:
            marks.append(self.tr("Edited"))
        if row.problem:
            marks.append(translated(row.problem))
        return marks

    @Slot()
    def _ask(self) -> None:
        places, self._wanted = self._wanted, {}
        if not places:
            return
        wanted = list(places)
        begin, end = max(0, min(places.values()) - _AROUND), max(places.values()) + _AROUND
        if end - begin < 10 * _AROUND:
            near = (one for one in self._ids[begin:end] if one not in self._rows)
            wanted = list(dict.fromkeys((*wanted, *near)))
        self._asked.update(wanted)
        self.rows_wanted.emit(wanted)
