"""Which images of a workspace are listed, in which order: query, sort, and what they find."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from core.workspace import Query, QueryError, Search, Sort, Workspace, parse_query
from gui.session.user_activity import UserActivity
from gui.session.worker_thread import WorkerThread

# The ids in the order of the list, and the files of these images.
_Found = tuple[Sequence[int], Sequence[Path]]
# So long the thread searches before it does what else is asked of it.
_SECONDS_AT_A_TIME = 0.05


@dataclass
class _Searching:
    """A search that is under way. With `shows_first` what it finds first is reported too."""

    number: int
    workspace: Workspace
    query: Query | None
    sort: Sort
    hidden: frozenset[int]
    shows_first: bool
    search: Search | None = None

    @property
    def is_done(self) -> bool:
        return self.search is not None and self.search.is_done

    def go_on(self) -> _Found | None:
        """Returns what was found, once it is to be reported. Raises QueryError."""
        end = time.monotonic() + _SECONDS_AT_A_TIME
        if self.search is None:
            self.search = self.workspace.search(self.query, self.sort)
        while not self.search.is_done and time.monotonic() < end:
            self.search.go_on()
        if not self.search.is_done and not (self.shows_first and self.search.found):
            return None
        self.shows_first = False
        ids: Sequence[int] = self.search.found[:]
        if self.hidden:
            ids = [one for one in ids if one not in self.hidden]
        return ids, self.workspace.paths(ids)


class ImageListing(QObject):
    """Searches in the workspace's thread; only the last search that was asked for is reported.

    `listed(Sequence[int])`: the ids in the order of the list. `searched()`: a search has ended.
    `changed()`: the query, the sort or the number of hidden images is another.
    """

    listed = Signal(object)
    searched = Signal()
    changed = Signal()

    def __init__(self, thread: WorkerThread, activity: UserActivity, parent: QObject | None = None):
        super().__init__(parent)
        self._thread, self._activity = thread, activity
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

    def is_hidden(self, id: int) -> bool:
        """Whether an image was taken out of the list, which may still have it for a moment."""
        return id in self._hidden

    def show(self, workspace: Workspace) -> None:
        """List the images of this workspace, which has been opened."""
        self._workspace = workspace
        self.search_again()

    def leave(self) -> None:
        """Search no more in the workspace, which is about to be closed."""
        self._workspace = None

    def search(self, text: str, *, shows_first: bool = False) -> None:
        """List only what the query finds; one that is wrong leaves the list as it is. With
        `shows_first` the first images are listed ahead of the others if a search takes long."""
        self._activity.note()
        self.query, self.query_error = text, None
        try:
            self._query = parse_query(text)
        except QueryError as error:
            self.query_error = error
        else:
            self.search_again(shows_first=shows_first)
        self.changed.emit()

    def sort_by(self, sort: Sort) -> None:
        """List in another order."""
        self._activity.note()
        self.sort = sort
        self.search_again()
        self.changed.emit()

    def hide(self, id: int) -> None:
        """Take an image out of the list; its file stays."""
        self._hidden.add(id)
        self.search_again()
        self.changed.emit()

    def note_edit(self) -> None:
        """Captions were changed: what the query does not find any more stays until `settle`."""
        self._is_outdated = True

    def settle(self) -> None:
        """Another image is shown: what an edit took out of the filter may leave the list now."""
        if self._is_outdated:
            self.search_again()

    def search_again(self, *, shows_first: bool = False) -> None:
        """Search for the same in what the workspace has now."""
        if self._workspace is None:
            return
        self._is_outdated = False
        self._search_number += 1
        asked = (self._workspace, self._query, self.sort, frozenset(self._hidden))
        self._go_on(_Searching(self._search_number, *asked, shows_first))

    def _go_on(self, searching: _Searching) -> None:
        def work() -> _Found | QueryError | None:
            if searching.number != self._search_number:
                return None
            try:
                return searching.go_on()
            except QueryError as error:
                return error

        self._thread.ask(partial(self._on_gone_on, searching), work)

    def _on_gone_on(self, searching: _Searching, found: _Found | QueryError | None) -> None:
        if searching.number != self._search_number:
            return
        if isinstance(found, QueryError):
            self.query_error = found
        else:
            if not searching.is_done:
                self._go_on(searching)
            if found is not None:
                self._show(*found)
        if isinstance(found, QueryError) or searching.is_done:
            self.searched.emit()

    def _show(self, ids: Sequence[int], paths: Sequence[Path]) -> None:
        if ids != self.ids:
            self.ids, self.paths = ids, paths
            self.listed.emit(ids)
