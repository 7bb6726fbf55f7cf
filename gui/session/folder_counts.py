"""What the images of the open folder have in common, and what a query may go on with: counted in a
thread of its own, so that neither searching nor editing waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from core.errors import AppError
from core.workspace import (
    CaptionMode,
    Statistics,
    Workspace,
    completions,
    read_vocabulary,
    tag_completions,
)
from gui.session.workspace import FolderWorkspace
from gui.widgets.translated import translated

_PAUSE_MS = 250

log = logging.getLogger(__name__)


class _OutdatedError(Exception):
    """What is being counted is not wanted any more."""


class FolderCounts(QObject):
    """`counted(Statistics)`: the images that are listed were counted. `completed(str, int,
    list[Completion])`: what may follow at a place of a query. `tags_completed(str,
    list[Completion])`: the tags that may be meant by the beginning of one.
    `vocabulary_read(Path | None)`: the file that they come from, too. `noticed(str)`."""

    counted = Signal(object)
    completed = Signal(str, int, object)
    tags_completed = Signal(str, object)
    vocabulary_read = Signal(object)
    noticed = Signal(str)
    _done = Signal(int, object, object)

    def __init__(self, workspace: FolderWorkspace, parent: QObject | None = None):
        super().__init__(parent)
        self._workspace = workspace
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="counts")
        self._is_closed = False
        self._is_wanted = False
        # Goes up with each change of the captions; what was counted before is old then.
        self._version = 0
        self._request = 0
        self._is_counted = True
        self._vocabulary: Sequence[str] = ()
        self._timer = QTimer(self, interval=_PAUSE_MS, singleShot=True)
        self._timer.timeout.connect(self._count)
        workspace.opened.connect(self._on_opened)
        workspace.listed.connect(self._on_changed)
        workspace.rows_changed.connect(self._on_changed)
        workspace.mode_changed.connect(self._on_changed)
        self._done.connect(self._on_done)

    def set_wanted(self, is_wanted: bool) -> None:
        """Whether statistics are in view; hidden ones are not counted."""
        if is_wanted != self._is_wanted:
            self._is_wanted = is_wanted
            if is_wanted:
                self._timer.start()

    @Slot(str, int, bool)
    def complete(self, line: str, place: int, offers_keys: bool) -> None:
        """Ask what may follow at this place of a query; `completed` follows, unless another one was
        asked meanwhile."""

        def work(tags: Mapping[str, int]) -> tuple[str, int, object]:
            return line, place, completions(line, place, tags, offers_keys=offers_keys)

        self._suggest(self._on_completed, work)

    def complete_tag(self, part: str, without: Sequence[str]) -> None:
        """Ask what the beginning of a tag may go on with; `tags_completed` follows."""

        def work(tags: Mapping[str, int]) -> tuple[str, object]:
            return part, tag_completions(part, tags, self._vocabulary, without=without)

        self._suggest(self._on_tags_completed, work)

    def _suggest(
        self, report: Callable[..., object], work: Callable[[Mapping[str, int]], object]
    ) -> None:
        """Do `work` with the folder's tags, unless something else is to be suggested by then."""
        workspace = self._workspace.current
        self._workspace.activity.note()
        self._request += 1
        request = self._request
        if self._is_wanted and not self._is_counted:
            self._timer.start()

        def is_wanted() -> bool:
            return request == self._request

        def suggest() -> object:
            if not is_wanted():
                return None
            give_way = self._giving_way(is_wanted)
            return work(_tags_of(workspace, give_way) if workspace else {})

        self._ask(report, suggest)

    def use_vocabulary(self, path: Path | None) -> None:
        """Suggest the tags of a file too, or of none; `vocabulary_read` follows."""

        def work() -> tuple[Path | None, Sequence[str] | str]:
            try:
                return path, read_vocabulary(path) if path else ()
            except AppError as error:
                return path, translated(error)

        self._ask(self._on_vocabulary_read, work)

    async def close(self) -> None:
        """End all work."""
        self._is_closed = True
        self._timer.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._thread.shutdown)

    @Slot()
    def _on_opened(self) -> None:
        self._on_changed()
        self.counted.emit(Statistics())

    @Slot()
    def _on_changed(self) -> None:
        self._version += 1
        if self._is_wanted and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _count(self) -> None:
        workspace, version = self._workspace.current, self._version
        if workspace is None:
            return
        ids: Sequence[int] = self._workspace.ids
        request = self._request
        self._is_counted = False

        def is_wanted() -> bool:
            # Suggestions come first; `_suggest` counts once more after them.
            return ids is self._workspace.ids and request == self._request

        def work() -> Statistics | None:
            if version != self._version:
                return None
            return workspace.statistics(ids, give_way=self._giving_way(is_wanted))

        self._ask(self._on_counted, work)

    def _on_counted(self, statistics: Statistics) -> None:
        self._is_counted = True
        self.counted.emit(statistics)

    def _giving_way(self, is_wanted: Callable[[], bool]) -> Callable[[], None]:
        """Returns what waits while a person is at work, and ends what is not wanted any more."""

        def goes_on() -> bool:
            return is_wanted() and not self._is_closed

        def give_way() -> None:
            self._workspace.activity.give_way(goes_on)
            if not goes_on():
                raise _OutdatedError

        return give_way

    def _ask(self, report: Callable[..., object], work: Callable[[], object]) -> None:
        if not self._is_closed:
            self._thread.submit(self._work, self._workspace.serial, report, work)

    def _work(self, serial: int, report: Callable[..., object], work: Callable[[], object]) -> None:
        try:
            result = work()
        except _OutdatedError:
            return
        except Exception:
            log.exception("Counting the captions failed")
            return
        if result is not None:
            self._done.emit(serial, report, result)

    @Slot(int, object, object)
    def _on_done(self, serial: int, report: Callable[..., object], result: object) -> None:
        if serial == self._workspace.serial and not self._is_closed:
            report(result)

    def _on_tags_completed(self, found: tuple[str, object]) -> None:
        self.tags_completed.emit(*found)

    def _on_vocabulary_read(self, read: tuple[Path | None, Sequence[str] | str]) -> None:
        path, tags = read
        if isinstance(tags, str):
            self.noticed.emit(tags)
            return
        self._vocabulary = tags
        self.vocabulary_read.emit(path)

    def _on_completed(self, found: tuple[str, int, object]) -> None:
        self.completed.emit(*found)


def _tags_of(workspace: Workspace, give_way: Callable[[], None]) -> Mapping[str, int]:
    """Returns the folder's tags. What stands between the commas of sentences is none."""
    has_tags = workspace.options.mode is CaptionMode.TAGS
    return workspace.tags(give_way) if has_tags else {}
