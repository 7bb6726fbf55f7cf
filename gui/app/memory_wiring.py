"""Connects what is in view with the memory of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.picture import Picture
from gui.app.tasks import Begin
from gui.session.picture_list import PictureList
from gui.session.typed_texts import TypedTexts
from gui.session.view_memory import MOST_SELECTED, FolderView, ViewMemory
from gui.session.workspace import FolderWorkspace
from gui.window.main_window import MainWindow


class MemoryWiring(QObject):
    """Keeps how each image is zoomed and each folder is listed, and shows it so again."""

    def __init__(
        self,
        window: MainWindow,
        memory: ViewMemory,
        typed: TypedTexts,
        workspace: FolderWorkspace,
        pictures: PictureList,
        begin: Begin,
        parent: QObject | None = None,
    ):
        """Connect after the wirings that show images and list them."""
        super().__init__(parent)
        self._view, self._list = window.drop_zone.picture_view, window.workspace_pane.list
        self._memory, self._typed, self._workspace = memory, typed, workspace
        self._pictures, self._begin = pictures, begin
        self._shown: Picture | None = None
        # What is still to be shown of the folder that was opened.
        self._to_search = ""
        self._to_select: FolderView | None = None
        pictures.leaving.connect(self._on_leaving)
        pictures.opened.connect(self._on_picture_opened)
        self._query_edit = window.workspace_pane.query_line.edit
        self._query_edit.textChanged.connect(self._on_query_typed)
        workspace.leaving.connect(self.keep)
        workspace.opened.connect(self._on_opened)
        workspace.listed.connect(self._on_listed)

    @Slot()
    def keep(self) -> None:
        """Keep how the image and the folder are seen now."""
        self._on_leaving()
        self._keep_folder()

    def _keep_folder(self) -> None:
        workspace, bar = self._workspace, self._list.verticalScrollBar()
        # What is not restored yet must not be forgotten.
        if not workspace.has_list or self._to_select is not None:
            return
        path = self._pictures.path
        self._memory.keep_folder(
            workspace.roots,
            FolderView(
                current=str(path or ""),
                query="" if workspace.listing.query_error else workspace.listing.query,
                sort=workspace.listing.sort.key.value,
                is_descending=workspace.listing.sort.is_descending,
                seed=workspace.listing.sort.seed,
                selected=self._selected(),
                scroll=bar.value(),
            ),
        )

    def _selected(self) -> tuple[str, ...]:
        places = self._list.selection.places(MOST_SELECTED + 1)
        paths = self._workspace.paths
        if not 1 < len(places) <= MOST_SELECTED or places[-1] >= len(paths):
            return ()
        return tuple(str(paths[place]) for place in places)

    @property
    def _query_name(self) -> str:
        return "query/" + "\n".join(map(str, self._workspace.roots))

    @Slot()
    def _on_query_typed(self) -> None:
        """Keep a query while it is typed, also one that is wrong as yet. What the wiring shows
        itself makes no signal."""
        if self._workspace.has_list:
            self._typed.keep(self._query_name, self._query_edit.text())

    @Slot()
    def _on_leaving(self) -> None:
        if self._view.has_picture and self._shown is not None:
            self._memory.keep_zoom(self._shown, self._view.zoom)

    @Slot(object)
    def _on_picture_opened(self, picture: Picture) -> None:
        self._shown = picture
        self._view.restore(self._memory.zoom(picture))
        self._memory.keep_open(self._workspace.roots)
        self._keep_folder()

    @Slot()
    def _on_opened(self) -> None:
        workspace = self._workspace
        view = self._memory.folder(workspace.roots) if workspace.has_list else None
        if workspace.has_list and (typed := self._typed.text(self._query_name)):
            view = replace(view or FolderView(), query=typed)
        self._to_search, self._to_select = (view.query, view) if view else ("", None)
        if view:
            workspace.listing.sort_by(view.order)
        if not workspace.roots:
            self._memory.keep_open(())

    @Slot(object)
    def _on_listed(self, ids: Sequence[int]) -> None:
        """The first images are there: the others of what was found, selected and scrolled to."""
        if not ids or self._to_select is None:
            return
        if self._to_search:
            self._workspace.listing.search(self._to_search)
            self._to_search = ""
        view, self._to_select = self._to_select, None
        self._begin(self._select(view))

    async def _select(self, view: FolderView) -> None:
        roots, paths = self._workspace.roots, list(map(Path, view.selected))
        rows = await self._workspace.read(lambda one: list(map(one.row_of, paths)))
        if roots is self._workspace.roots:
            if rows:
                self._list.select_ids({row.id for row in rows if row})
            self._list.verticalScrollBar().setValue(view.scroll)
