"""Which images of a workspace are listed, in which order: query, sort, and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.workspace import Query, QueryError, Sort, Workspace, parse_query
from gui.session.worker_thread import WorkerThread

# The ids in the order of the list, and the files of these images.
_Found = tuple[Sequence[int], Sequence[Path]]


class ImageListing(QObject):
    """Searches in the workspace's thread; only the last search that was asked for is reported.

    `listed(Sequence[int])`: the ids in the order of the list. `searched()`: a search has ended.
    `changed()`: the query or the sort is another.
    """

    listed = Signal(object)
    searched = Signal()
    changed = Signal()

    def __init__(self, thread: WorkerThread, parent: QObject | None = None):
        super().__init__(parent)
        self._thread = thread
        self._search_number = 0
        self._workspace: Workspace | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the workspace, and what was searched for, without a signal."""
        self.ids: Sequence[int] = ()
        self.paths: Sequence[Path] = ()
        self.query = ""
        self.query_error: QueryError | None = None
        self.sort = Sort()
        self.leave()
        self._query: Query | None = None
        self._hidden: set[int] = set()
        self._is_outdated = False

    @property
    def hidden_count(self) -> int:
        """How many images were taken out of the list."""
        return len(self._hidden)

    def show(self, workspace: Workspace) -> None:
        """List the images of this workspace, which has been opened."""
        self._workspace = workspace
        self.search_again()

    def leave(self) -> None:
        """Search no more in the workspace, which is about to be closed."""
        self._workspace = None

    def search(self, text: str) -> None:
        """List only what the query finds; one that is wrong leaves the list as it is."""
        self.query, self.query_error = text, None
        try:
            self._query = parse_query(text)
        except QueryError as error:
            self.query_error = error
        else:
            self.search_again()
        self.changed.emit()

    def sort_by(self, sort: Sort) -> None:
        """List in another order."""
        self.sort = sort
        self.search_again()
        self.changed.emit()

    def hide(self, id: int) -> None:
        """Take an image out of the list; its file stays."""
        self._hidden.add(id)
        self.search_again()

    def note_edit(self) -> None:
        """Captions were changed: what the query does not find any more stays until `settle`."""
        self._is_outdated = True

    def settle(self) -> None:
        """Another image is shown: what an edit took out of the filter may leave the list now."""
        if self._is_outdated:
            self.search_again()

    def search_again(self) -> None:
        """Search for the same in what the workspace has now."""
        workspace, query, sort = self._workspace, self._query, self.sort
        if workspace is None:
            return
        self._is_outdated = False
        self._search_number += 1
        number, hidden = self._search_number, frozenset(self._hidden)

        def find() -> _Found | QueryError:
            if number != self._search_number:
                return (), ()
            try:
                ids = workspace.ids(query, sort)
            except QueryError as error:
                return error
            if hidden:
                ids = [one for one in ids if one not in hidden]
            return ids, workspace.paths(ids)

        self._thread.ask(lambda found: self._on_found(number, found), find)

    def _on_found(self, number: int, found: _Found | QueryError) -> None:
        if number != self._search_number:
            return
        if isinstance(found, QueryError):
            self.query_error = found
        else:
            ids, paths = found
            if ids != self.ids:
                self.ids, self.paths = ids, paths
                self.listed.emit(ids)
        self.searched.emit()
