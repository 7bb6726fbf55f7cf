"""The folder that is open, as a workspace: its images and captions, searched, edited and reviewed.

The workspace itself is `core.workspace`; here its work is done in two threads, one for searching
and editing and one for reading folders, and what comes of it is reported in the GUI thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from core.captions.formats import CaptionFormat
from core.errors import AppError
from core.message import joined
from core.workspace import (
    CaptionMode,
    CaptionSource,
    Counts,
    Draft,
    EditReport,
    ImageRow,
    OngoingEdit,
    PossibleSources,
    ReviewState,
    Workspace,
)
from gui.session.folder_reading import FolderReading
from gui.session.image_listing import ImageListing
from gui.session.left_folders import LeftFolders
from gui.session.user_activity import UserActivity
from gui.session.worker_thread import WorkerThread
from gui.session.workspace_edits import WorkspaceEdits
from gui.session.workspace_reads import first_wanted, note_answers, state_of
from gui.widgets.translated import translated, translated_all

_Result = TypeVar("_Result")


class FolderWorkspace(QObject):
    """The images that were opened together.

    `leaving()`: others are about to be opened. `opened()`: others, or none.
    `listed(Sequence[int])`: the ids in the order of the list.
    `rows_read(list[ImageRow])`: what `read_rows` asked for. `rows_changed(ids)`: these are to be
    read again, all for None. `edited(EditReport)`: what became of an edit, an undo or a redo.
    `changed()`: counts, the query or what can be undone are others. `mode_changed()`: the captions
    are tags rather than texts, or the other way round. `answers_noted()`: a model has written
    others. `noticed(str)`.
    """

    leaving = Signal()
    opened = Signal()
    listed = Signal(object)
    rows_read = Signal(object)
    rows_changed = Signal(object)
    edited = Signal(object)
    changed = Signal()
    mode_changed = Signal()
    answers_noted = Signal()
    noticed = Signal(str)

    def __init__(self, data: Path, parent: QObject | None = None):
        """`data` is the folder of the program's own files."""
        super().__init__(parent)
        self._left = LeftFolders(data)
        self._thread = WorkerThread("workspace", self)
        self.edits = WorkspaceEdits(self._thread, self)
        self.activity = UserActivity()
        self.reading = FolderReading(self._thread, self.activity, self)
        self.listing = ImageListing(self._thread, self.activity, self)
        self._workspace: Workspace | None = None
        self._is_listed = asyncio.Event()
        self._count_tokens: Callable[[str], int] | None = None
        self._reset()
        self.listing.listed.connect(self.listed)
        self.listing.searched.connect(self._on_searched)
        self.listing.changed.connect(self.changed)
        self.reading.progressed.connect(self._on_read_on)
        self.reading.stopped_or_resumed.connect(self.changed)
        self.reading.ended.connect(self._on_all_read)
        self.edits.progressed.connect(self.changed)
        self.edits.left.progressed.connect(self.changed)
        self.edits.ended.connect(self.take_report)
        self.edits.failed.connect(self._on_failed)
        self._thread.failed.connect(self._on_failed)

    def _reset(self) -> None:
        self.roots: list[Path] = []
        self.has_list = False
        self.counts = Counts()
        self.undo_text = self.redo_text = ""
        self.mode = CaptionMode.TEXT
        self.source, self.possible_sources = CaptionSource(), PossibleSources()
        self._is_edited = False
        self.reading.clear()
        self.listing.clear()

    @property
    def is_open(self) -> bool:
        """Whether there are images to list."""
        return bool(self.roots)

    @property
    def current(self) -> Workspace | None:
        """The workspace that is open, for other threads to read."""
        return self._workspace

    @property
    def serial(self) -> int:
        """Another number for each workspace that is opened."""
        return self._thread.serial

    @property
    def ids(self) -> Sequence[int]:
        """The images in the order of the list."""
        return self.listing.ids

    @property
    def paths(self) -> Sequence[Path]:
        """The files of `ids`."""
        return self.listing.paths

    @property
    def total(self) -> int:
        """How many images there are, as far as is known."""
        return self.counts.images - self.listing.hidden_count

    def open(self, roots: list[Path], *, has_list: bool = True) -> None:
        """List the images in these folders, and these files; none closes the workspace. Without
        `has_list` a single image was opened, which needs no list."""
        if self.roots:
            self.leaving.emit()
        self._leave()
        self._reset()
        self._is_listed = asyncio.Event()
        self.roots, self.has_list = roots, has_list and bool(roots)
        self.opened.emit()
        self.listed.emit(self.ids)
        if roots:
            self._thread.ask(self._on_opened, self._left.opening(roots), Workspace.close)

    async def is_listed(self) -> bool:
        """Wait until images are listed, or there are none; False if others are opened meanwhile."""
        serial = self._thread.serial
        await self._is_listed.wait()
        return serial == self._thread.serial

    async def left_out(self) -> str:
        """Return a sentence on the files that the last scan left out; "" for none."""
        return joined(*(await self.read(lambda workspace: workspace.left_out) or ()))

    def read_rows(self, ids: Sequence[int]) -> None:
        """Ask for rows; `rows_read` follows."""
        if workspace := self._workspace:
            self._thread.ask(self.rows_read.emit, lambda: workspace.rows(ids))

    def use_tokens(self, count_tokens: Callable[[str], int] | None) -> None:
        """Let `tokens:` of a query count by another model; None while none is loaded."""
        if count_tokens is not self._count_tokens:
            self._count_tokens = count_tokens
            self._set_token_counter()
            if "tokens:" in self.listing.query:
                self.listing.search(self.listing.query)

    def _set_token_counter(self) -> None:
        if workspace := self._workspace:
            count_tokens = self._count_tokens
            self._thread.ask(None, lambda: workspace.set_token_counter(count_tokens))

    async def row_of(self, path: Path) -> ImageRow | None:
        """Return an image by its file; None if it is not in the workspace."""
        return await self.read(lambda workspace: workspace.row_of(path))

    async def path_of(self, id: int) -> Path | None:
        """Return the file of an image; None if it is not in the workspace any more."""
        self.activity.note()
        rows = await self.read(lambda workspace: workspace.rows([id]))
        return rows[0].path if rows else None

    async def read(self, work: Callable[[Workspace], _Result]) -> _Result | None:
        """Return what `work` finds in the workspace, in its thread; None if none is open."""
        workspace = self._workspace
        return await self._thread.call(lambda: work(workspace)) if workspace else None

    def keep_draft(self, id: int, draft: Draft | None) -> None:
        """Keep what is being written for an image; None once it is written."""
        self.activity.note()
        if workspace := self._workspace:
            self._thread.ask(None, lambda: workspace.drafts.keep(id, draft))

    def choose_mode(self, mode: CaptionMode) -> None:
        """Take the captions of this folder for texts or for tags, from now on."""
        workspace = self._workspace
        if workspace and self.source.format is CaptionFormat.XMP:
            # Tags are in another place of these files than texts.
            self._thread.ask(self._open_again, lambda: workspace.choose_mode(mode))
        elif workspace:
            self._show_mode(mode)
            # Again once it is so for whoever counts, and after a guess that was under way.
            chosen = partial(workspace.choose_mode, mode)
            self._thread.ask(lambda _: self._on_mode_chosen(mode), chosen)

    def note_answers(
        self, answers: Mapping[Path, str], doubts: Mapping[Path, float], again: Path | None = None
    ) -> None:
        """Keep what a model wrote about images, and how doubtful it is where that is known;
        `answers_noted` follows. What the run with the journal `again` wrote anew can be undone as
        an edit."""
        if workspace := self._workspace:
            note = partial(note_answers, workspace, answers, doubts, again)
            self._thread.ask(self._on_answers_noted, note)

    def _on_answers_noted(self, _: object) -> None:
        self._read_state()
        self.answers_noted.emit()

    def choose_source(self, source: CaptionSource) -> None:
        """Read the captions of these folders from other files, from now on."""
        if (workspace := self._workspace) and source != self.source:
            self._thread.ask(self._open_again, lambda: workspace.sources.choose(source))

    def _open_again(self, _: object) -> None:
        query = self.listing.query
        self.open(self.roots, has_list=self.has_list)
        self.listing.search(query)

    def _on_mode_chosen(self, mode: CaptionMode) -> None:
        self.mode = mode
        self.mode_changed.emit()
        self.changed.emit()

    def _show_mode(self, mode: CaptionMode) -> None:
        if mode is not self.mode:
            self.mode = mode
            self.mode_changed.emit()
            self.changed.emit()

    def read_again(self, images: Collection[Path]) -> None:
        """Read the captions of images anew that the program itself has written."""
        if workspace := self._workspace:
            self._thread.ask(self._on_read_again, lambda: workspace.read_again(images))

    async def read_written(self, images: Collection[Path]) -> None:
        """Read the captions of images anew that the program itself has written, and wait for it."""
        serial = self._thread.serial
        ids = await self.read(lambda workspace: workspace.read_again(images))
        if ids and serial == self._thread.serial:
            self._on_read_again(ids)

    def _on_read_again(self, ids: list[int]) -> None:
        if ids:
            self.rows_changed.emit(ids)
            self.listing.note_edit()
            self._read_state()

    # Edits

    def change(self, work: Callable[[Workspace], None]) -> None:
        """Change something that no list shows."""
        if workspace := self._workspace:
            self._thread.ask(None, lambda: work(workspace))

    def edit(self, work: Callable[[Workspace], EditReport | None]) -> None:
        """Do an edit; `edited` follows."""
        self.activity.note()
        if workspace := self._workspace:
            self.edits.do(lambda: work(workspace))

    def edit_many(self, begin: Callable[[Workspace], OngoingEdit]) -> None:
        """Do an edit of many captions, beside which other things can be done; `edited` follows."""
        self.activity.note()
        if workspace := self._workspace:
            self.edits.do_in_parts(lambda: begin(workspace))

    def begin(self, work: Callable[[Workspace], _Result]) -> asyncio.Future[_Result] | None:
        """Begin `work` after all edits that were asked for before, and return what will come of it,
        also if others are opened meanwhile; None if none is open. `take_report` follows for an
        edit."""
        self.activity.note()
        workspace = self._workspace
        return self.edits.begin(lambda: work(workspace)) if workspace else None

    @Slot(object)
    def take_report(self, report: EditReport | None) -> None:
        """Show what an edit of this workspace has changed; `edited` follows."""
        if report is None:
            return
        self.rows_changed.emit(report.changed)
        self._is_edited = True
        self.listing.note_edit()
        self._read_state()
        self.edited.emit(report)

    def review(self, ids: Sequence[int], state: ReviewState) -> None:
        """Set what a person thinks of these images."""
        self.edit_many(lambda workspace: workspace.begin_set_review(ids, state))

    def undo(self) -> None:
        """Undo the last edit of captions or reviews."""
        self.edit_many(Workspace.begin_undo)

    def redo(self) -> None:
        """Make the edit again that was undone last."""
        self.edit_many(Workspace.begin_redo)

    async def first(self, ids: Sequence[int], is_wanted: Callable[[ImageRow], bool]) -> int | None:
        """Return the first of these images that is wanted; None if none is."""
        self.activity.note()
        return await self.read(lambda workspace: first_wanted(workspace, ids, is_wanted))

    async def close(self) -> None:
        """End all work, and wait for what is being written."""
        self._leave()
        await self.reading.close()
        await self._thread.close()

    # Inside

    def _leave(self) -> None:
        """Close the workspace that is open, once its scan and its edits have ended. Others can
        be opened meanwhile."""
        goes_on = self.edits.leave(self.roots)
        end = self._thread.renew(beside=goes_on)
        self._is_listed.set()
        if (workspace := self._workspace) is not None:
            self._workspace = None
            self.listing.leave()
            self.reading.leave(partial(end, self._left.closing(workspace, goes_on=goes_on)))

    @Slot(object)
    def _on_failed(self, error: AppError) -> None:
        if self._workspace is None:
            self._is_listed.set()  # It cannot be opened.
        self.noticed.emit(translated(error))

    def _on_opened(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.source = workspace.options.source
        self._set_token_counter()
        if workspace.notes:
            self.noticed.emit(translated_all(workspace.notes))
        self._settle_mode()
        self.listing.show(workspace)
        self._read_state()
        self.reading.begin(workspace)

    @Slot(bool)
    def _on_read_on(self, has_changed: bool) -> None:
        if has_changed:
            self._look_again()
            self.rows_changed.emit(None)
        self.changed.emit()

    @Slot()
    def _on_all_read(self) -> None:
        self.changed.emit()
        self._look_again()
        self.rows_changed.emit(None)
        is_to_look = not self.reading.is_cut and not self.possible_sources.example
        if (workspace := self._workspace) is not None and is_to_look:
            self._thread.ask(self._on_sources_found, workspace.sources.possible)
        self._settle_mode()

    def _on_sources_found(self, possible: PossibleSources) -> None:
        self.possible_sources = possible
        self.changed.emit()

    def _settle_mode(self) -> None:
        if workspace := self._workspace:
            self._thread.ask(self._show_mode, workspace.settle_mode)

    def _look_again(self) -> None:
        """Read the list and the counts anew."""
        self.listing.search_again()
        self._read_state()

    def _read_state(self) -> None:
        if workspace := self._workspace:
            self._thread.ask(self._on_state_read, partial(state_of, workspace))

    def _on_state_read(self, state: tuple[Counts, str, str]) -> None:
        are_others = self._is_edited and state[0].images != self.counts.images
        self._is_edited = False
        self.counts, undo, redo = state
        self.undo_text, self.redo_text = translated(undo), translated(redo)
        if are_others:  # Images were moved or deleted, or came back.
            self.listing.search_again()
        self.changed.emit()

    @Slot()
    def _on_searched(self) -> None:
        if self.ids or self.reading.is_done:
            self._is_listed.set()
        self.changed.emit()
