"""Connects the workspace with the list of images on the left of the window."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QApplication

from core.settings import Settings
from core.workspace import (
    CaptionMode,
    EditReport,
    ImageRow,
    ReviewState,
    Sort,
    SortKey,
    StatisticsKind,
)
from gui.app.tasks import Begin
from gui.batch.head import name_of, places_text
from gui.session.bulk_editing import BulkEditing
from gui.session.caption_editing import CaptionEditing
from gui.session.picture_list import PictureList
from gui.session.settings_file import SettingsFile
from gui.session.workspace import FolderWorkspace
from gui.widgets.file_manager import reveal
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import WorkspaceState

_DOUBTFUL = 0.5


class WorkspaceWiring(QObject):
    """What is opened together is listed; the image in view and the current one are the same.

    `current_read(ImageRow)`: the image in view is another one, or has changed.
    """

    current_read = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        bulk: BulkEditing,
        pictures: PictureList,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._page = window, window.workspace_page
        self._pane, self._list = window.workspace_pane, window.workspace_pane.list
        self._workspace, self._pictures, self._begin = workspace, pictures, begin
        self._editing, self._settings_file = editing, settings_file
        self._bulk = bulk
        self._path: Path | None = None
        self._current: ImageRow | None = None
        # What was chosen in the list, until its image is opened.
        self._ahead: int | None = None
        self._name = ""
        self._has_room = True
        self._is_lost_last = self._follows_edit = False
        self._connect_pane()
        self._connect_workspace()
        self._bind()
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.applicationStateChanged.connect(self._on_application_state)
        self.refresh()

    @property
    def _settings(self) -> Settings:
        return self._settings_file.settings

    @property
    def current(self) -> ImageRow | None:
        """The image in view, as the workspace knows it; None outside of one."""
        return self._current

    @property
    def meant_ids(self) -> list[int]:
        """The images that are selected, or else the one in view."""
        if self._list.selected_count > 1:
            return list(self._list.selected_ids)
        return [] if self.current_id is None else [self.current_id]

    @property
    def current_id(self) -> int | None:
        """The image that is gone to. The list knows it at once; `current` takes a moment."""
        if (index := self._list.currentIndex()).isValid():
            return self._list.rows.id_at(index)
        return self._current.id if self._current is not None else None

    def _connect_pane(self) -> None:
        pane = self._pane
        self._list.rows.rows_wanted.connect(self._workspace.read_rows)
        self._list.chosen.connect(self._on_chosen)
        self._list.selectionModel().selectionChanged.connect(self.refresh)
        self._list.focus_changed.connect(self.refresh)
        self._list.selection.lost_changed.connect(self._on_selection_lost)
        pane.fold_asked.connect(self._toggle_fold)
        pane.layout_asked.connect(self._toggle_layout)
        pane.side_chosen.connect(self._on_side_chosen)
        pane.reveal_asked.connect(self._on_reveal_asked)
        pane.close_asked.connect(self._on_close_asked)
        pane.reading_line.stop_asked.connect(self._pictures.stop_finding)
        pane.reading_line.more_asked.connect(self._workspace.reading.resume)
        pane.editing_line.stop_asked.connect(self._workspace.edits.stop)
        pane.query_line.searched.connect(self._on_searched)
        pane.query_line.sort_chosen.connect(self._on_sort_chosen)
        self._page.unfold_asked.connect(self._toggle_fold)
        self._page.room_changed.connect(self._on_room_changed)

    def _connect_workspace(self) -> None:
        workspace = self._workspace
        self._pictures.list_changed.connect(self._on_list_changed)
        workspace.opened.connect(self._on_opened)
        workspace.listed.connect(self._on_listed)
        workspace.rows_read.connect(self._list.rows.take_rows)
        workspace.rows_changed.connect(self._on_rows_changed)
        workspace.changed.connect(self.refresh)
        workspace.edited.connect(self._on_edited)
        workspace.noticed.connect(self._window.show_notice)
        self._editing.changed.connect(self.refresh)

    def _bind(self) -> None:
        bind, states = self._window.command_actions.bind, ReviewState
        bind(Command.IMAGE_LIST, self._toggle_fold)
        bind(Command.GO_TO_IMAGES, self._go_to_images)
        bind(Command.IMAGE_GRID, self._toggle_layout)
        bind(Command.PREVIOUS_PICTURE, partial(self._list.step, -1))
        bind(Command.NEXT_PICTURE, partial(self._list.step, 1))
        bind(Command.ACCEPT, partial(self.review, states.ACCEPTED))
        bind(Command.REJECT, partial(self.review, states.REJECTED))
        bind(Command.NEEDS_WORK, partial(self.review, states.NEEDS_WORK))
        bind(Command.NEXT_UNREVIEWED, partial(self._go_to_next, _is_unreviewed))
        bind(Command.NEXT_UNCAPTIONED, partial(self._go_to_next, _is_uncaptioned))
        bind(Command.NEXT_DOUBTFUL, partial(self._go_to_next, _is_doubtful))
        bind(Command.INVERT_SELECTION, self._list.selection.invert)
        bind(Command.RESTORE_SELECTION, self._list.selection.restore)
        bind(Command.FIND_IMAGES, self._pane.query_line.focus)

    @Slot()
    def refresh(self) -> None:
        """Read the workspace into the window's state."""
        workspace, settings, editing = self._workspace, self._settings, self._editing
        error, last = workspace.listing.query_error, self._bulk.last
        self._window.states.update(
            workspace=WorkspaceState(
                is_open=workspace.is_open,
                has_list=workspace.has_list,
                name=self._name if workspace.is_open else "",
                listed=len(workspace.ids),
                total=workspace.total,
                selected=self._list.selected_count,
                lost=self._list.selection.lost,
                is_lost_last=self._is_lost_last,
                is_folded=settings.folds_images,
                is_grid=settings.shows_grid,
                side=settings.thumbnail_side,
                has_room=self._has_room,
                has_focus=self._list.hasFocus(),
                query=workspace.listing.query,
                query_error=translated(error) if error else "",
                query_fault=(error.start, error.end) if error else (0, 0),
                sort=workspace.listing.sort.key,
                unreviewed=workspace.counts.unreviewed,
                reading=workspace.reading.progress,
                editing=workspace.edits.progress,
                is_cut=workspace.reading.is_cut,
                shows_caption=settings.shows_caption,
                is_known=self._current is not None,
                review=self._current.review if self._current else ReviewState.UNREVIEWED,
                problem=translated(self._current.problem) if self._current else "",
                is_modified=editing.is_modified,
                found=editing.found,
                answer=editing.answer,
                undo=workspace.undo_text,
                redo=workspace.redo_text,
                has_tags=workspace.mode is CaptionMode.TAGS,
                source=workspace.source,
                possible_sources=workspace.possible_sources,
                statistics=StatisticsKind(settings.statistics),
                folds_statistics=settings.folds_statistics,
                last_edit=translated(last.name) if last else "",
            )
        )

    @Slot(bool)
    def _on_selection_lost(self, is_new: bool) -> None:
        self._is_lost_last |= is_new
        self.refresh()

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        """What Undo takes back first is the edit now."""
        self._is_lost_last = False
        self._follows_edit = True
        self.refresh()

    # The image in view

    @Slot(object, int)
    def _on_list_changed(self, paths: list[Path], current: int) -> None:
        """Another image is shown, or others are listed around it."""
        path = self._pictures.path
        if path != self._path:
            self._path = path
            if path is None:
                self._current = None
            self._editing.leave()
            self._workspace.listing.settle()
            self._read_current()

    @Slot()
    def _on_opened(self) -> None:
        """Other images were opened together, or none."""
        self._current = None
        roots = self._workspace.roots
        self._name = name_of(roots) or places_text(roots)
        self._list.rows.clear()
        self._list.selection.forget()
        self.refresh()

    def _read_current(self) -> None:
        if self._path is not None and self._workspace.is_open:
            self._begin(self._read(self._path))

    async def _read(self, path: Path) -> None:
        read = await self._editing.read(path)
        if path != self._path:
            return
        if read is None:
            # It is in no folder that is open, or not found there yet; or it is gone, as while a
            # program replaces it, and who writes its caption goes on.
            if self._current is not None and self._current.path != path:
                self._current = None
            self.refresh()
            return
        self._current = read.row
        if self._ahead in (None, read.row.id):
            self._list.show_current(read.row.id)
        self._editing.show(read)
        self.current_read.emit(read.row)
        self.refresh()

    @Slot(object)
    def _on_listed(self, ids: Sequence[int]) -> None:
        selected = set(self._list.selected_ids)
        self._list.rows.set_ids(ids)
        if selected:
            self._list.select_ids(selected)
        if self._follows_edit and not selected <= set(ids):
            # Images that an edit took away, as to the trash, come back with it.
            self._list.selection.forget()
            self._is_lost_last = False
        self._follows_edit = False
        if self._ahead is not None:
            self._list.show_current(self._ahead)
        elif self._current is not None:
            self._list.show_current(self._current.id)
        elif ids:
            self._read_current()
        self.refresh()

    @Slot(object)
    def _on_rows_changed(self, ids: Collection[int] | None) -> None:
        self._list.rows.forget(ids)
        if self._current is None or ids is None or self._current.id in ids:
            self._read_current()

    @Slot(int)
    def _on_chosen(self, id: int) -> None:
        self._ahead = id
        self._begin(self._open(id))

    async def _open(self, id: int) -> None:
        try:
            if (path := await self._workspace.path_of(id)) is not None:
                await self._pictures.open_path(path)
        finally:
            if self._ahead == id:
                self._ahead = None

    @Slot(int)
    def _on_reveal_asked(self, id: int) -> None:
        self._begin(self._reveal(id))

    async def _reveal(self, id: int) -> None:
        if (path := await self._workspace.path_of(id)) is not None:
            reveal(path)

    @Slot(int)
    def _on_close_asked(self, id: int) -> None:
        self._begin(self._close(id))

    async def _close(self, id: int) -> None:
        if (path := await self._workspace.path_of(id)) is not None:
            self._workspace.listing.hide(id)
            await self._pictures.close_path(path)

    # Reviewing

    def review(self, state: ReviewState) -> None:
        """Set the review of the selected images, or of the one in view."""
        if ids := self.meant_ids:
            self._workspace.review(ids, state)

    def _go_to_next(self, is_wanted: Callable[[ImageRow], bool]) -> None:
        self._begin(self._find_next(is_wanted))

    async def _find_next(self, is_wanted: Callable[[ImageRow], bool]) -> None:
        """Go to the next image of the kind, beginning anew after the last one."""
        ids = list(self._workspace.ids)
        # What is known of an image that was only just gone to takes a moment; its place does not.
        at = self._list.currentIndex().row()
        following = [*ids[at + 1 :], *ids[: max(at, 0)]]
        found = await self._workspace.first(following, is_wanted)
        if found is None:
            self._window.show_notice(self.tr("There is no other image of this kind."))
        else:
            # At once, as the keys that follow go on from the current image of the list.
            self._ahead = found
            self._list.show_current(found)
            await self._open(found)

    # How the images are listed

    @Slot(str)
    def _on_searched(self, query: str) -> None:
        # A selection of several would be lost to a list that lacks some of them for a moment.
        is_one = self._list.selected_count < 2
        self._workspace.listing.search(query, shows_first=is_one)

    @Slot(object)
    def _on_sort_chosen(self, key: SortKey) -> None:
        before = self._workspace.listing.sort
        is_again = key is before.key
        seed = before.seed + 1 if is_again and key is SortKey.RANDOM else before.seed
        turns = is_again and key is not SortKey.RANDOM
        self._workspace.listing.sort_by(Sort(key, turns and not before.is_descending, seed))

    @Slot()
    def _toggle_fold(self) -> None:
        self._settings.folds_images = not self._settings.folds_images
        self._keep_settings()

    @Slot()
    def _go_to_images(self) -> None:
        if self._settings.folds_images:
            self._toggle_fold()
        self._list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @Slot()
    def _toggle_layout(self) -> None:
        self._settings.shows_grid = not self._settings.shows_grid
        self._keep_settings()

    @Slot(int)
    def _on_side_chosen(self, side: int) -> None:
        self._settings.thumbnail_side = min(max(side, 64), 320)
        self._keep_settings()

    def _keep_settings(self) -> None:
        self.refresh()
        self._begin(self._settings_file.save())

    @Slot(bool)
    def _on_room_changed(self, has_room: bool) -> None:
        self._has_room = has_room
        self.refresh()

    @Slot(Qt.ApplicationState)
    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        """Whoever comes back from another program may have changed captions there."""
        if state == Qt.ApplicationState.ApplicationActive:
            self._workspace.reading.read_again()


def _is_unreviewed(row: ImageRow) -> bool:
    return row.review is ReviewState.UNREVIEWED


def _is_doubtful(row: ImageRow) -> bool:
    return row.doubt is not None and row.doubt >= _DOUBTFUL


def _is_uncaptioned(row: ImageRow) -> bool:
    return not row.has_caption or not row.caption.strip()
