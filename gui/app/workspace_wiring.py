"""Connects the workspace with the list of images on the left of the window."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.settings import Settings
from gui.app.tasks import Begin
from gui.session.picture_list import PictureList
from gui.session.settings_file import SettingsFile
from gui.session.workspace import FolderWorkspace
from gui.widgets.file_manager import reveal
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import WorkspaceState


class WorkspaceWiring(QObject):
    """What is opened together is listed; the image in view and the current one are the same."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        pictures: PictureList,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._page = window, window.workspace_page
        self._pane, self._list = window.workspace_pane, window.workspace_pane.list
        self._workspace, self._pictures, self._begin = workspace, pictures, begin
        self._settings_file = settings_file
        self._listed: list[Path] | None = None
        self._name = ""
        self._has_room = True
        self._connect_pane()
        pictures.list_changed.connect(self._on_list_changed)
        workspace.listed.connect(self._list.rows.set_ids)
        workspace.rows_read.connect(self._list.rows.take_rows)
        workspace.listed.connect(self._show_current)
        workspace.listed.connect(self.refresh)
        self.refresh()

    @property
    def _settings(self) -> Settings:
        return self._settings_file.settings

    def _connect_pane(self) -> None:
        pane, window = self._pane, self._window
        self._list.rows.rows_wanted.connect(self._workspace.read_rows)
        self._list.chosen.connect(self._on_chosen)
        self._list.selectionModel().selectionChanged.connect(self.refresh)
        pane.fold_asked.connect(self._toggle_fold)
        pane.layout_asked.connect(self._toggle_layout)
        pane.side_chosen.connect(self._on_side_chosen)
        pane.reveal_asked.connect(self._on_reveal_asked)
        pane.close_asked.connect(self._on_close_asked)
        self._page.unfold_asked.connect(self._toggle_fold)
        self._page.room_changed.connect(self._on_room_changed)
        bind = window.command_actions.bind
        bind(Command.IMAGE_LIST, self._toggle_fold)
        bind(Command.IMAGE_GRID, self._toggle_layout)
        bind(Command.PREVIOUS_PICTURE, self._show_previous)
        bind(Command.NEXT_PICTURE, self._show_next)

    @Slot()
    def refresh(self) -> None:
        """Read the workspace into the window's state."""
        workspace, settings = self._workspace, self._settings
        self._window.states.update(
            workspace=WorkspaceState(
                is_open=workspace.is_open,
                name=self._name,
                listed=len(workspace.ids),
                total=workspace.total,
                selected=self._list.selected_count,
                is_folded=settings.folds_images,
                is_grid=settings.shows_grid,
                side=settings.thumbnail_side,
                has_room=self._has_room,
            )
        )

    @Slot(object, int)
    def _on_list_changed(self, paths: list[Path], current: int) -> None:
        """Other images were opened, or another one of them."""
        if paths is not self._listed:
            self._listed = paths
            roots = self._pictures.roots
            self._name = self._name_of(roots, len(paths)) if len(paths) > 1 else ""
            self._list.rows.clear()
            self._workspace.open(list(roots), paths if len(paths) > 1 else [])
        self._show_current()

    def _name_of(self, roots: list[Path], count: int) -> str:
        if len(roots) == 1:
            return roots[0].name or str(roots[0])
        return self.tr("{count} images").format(count=f"{count:,}")

    @Slot()
    def _show_current(self) -> None:
        self._list.show_current(self._pictures.index)

    @Slot(int)
    def _on_chosen(self, id: int) -> None:
        self._begin(self._open(id))

    async def _open(self, id: int) -> None:
        if (path := await self._workspace.path_of(id)) is not None:
            await self._pictures.open_path(path)

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
            await self._pictures.close_path(path)

    def _show_previous(self) -> None:
        self._list.step(-1)

    def _show_next(self) -> None:
        self._list.step(1)

    # How the images are listed

    @Slot()
    def _toggle_fold(self) -> None:
        self._settings.folds_images = not self._settings.folds_images
        self._keep_settings()

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
