"""Captions the selected images again, with the prompt and the options of the last run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject

from core.captions.sidecar import Existing
from core.workspace import ImageRow, Workspace
from gui.app.batch_wiring import BatchWiring
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.caption_editing import CaptionEditing
from gui.session.workspace import FolderWorkspace
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.workspace.again_dialog import AgainDialog


class AgainWiring(QObject):
    """It is a folder run. Its undo takes all of it back, and so does that of the list of images, as
    an edit. What a person wrote is kept, unless they say otherwise."""

    def __init__(
        self,
        window: MainWindow,
        listing: WorkspaceWiring,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        batch: BatchWiring,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._listing, self._workspace = window, listing, workspace
        self._editing, self._batch, self._begin = editing, batch, begin
        self._dialog = OpenDialog[AgainDialog]()
        window.command_actions.bind(Command.CAPTION_AGAIN, self._open)

    def _open(self) -> None:
        self._editing.write()
        if ids := self._listing.meant_ids:
            self._begin(self._show(ids))

    async def _show(self, ids: list[int]) -> None:
        def read(workspace: Workspace) -> tuple[list[ImageRow], list[int]]:
            return workspace.rows(ids), workspace.answers.untouched(ids)

        rows, untouched = await self._workspace.read(read) or ([], [])
        if not rows or self._dialog.in_sight is not None:
            return
        prompts = self._batch.prepared_options().prompts
        dialog = AgainDialog(rows, set(untouched), prompts, self._window)
        paths = [row.path for row in rows]
        dialog.chosen.connect(partial(self._on_chosen, paths))
        dialog.options_asked.connect(partial(self._batch.choose, paths))
        self._dialog.keep(dialog)
        open_without_waiting(dialog)

    def _on_chosen(self, paths: list[Path], replaces_all: bool) -> None:
        source = self._workspace.source
        options = replace(
            self._batch.prepared_options(),
            writes=() if source.table else (source.format,),
            name=source.pattern,
            tables=source.tables_in(self._workspace.roots),
            existing=Existing.REPLACE if replaces_all else Existing.GENERATED,
            replaces_edited=tuple(map(str, paths)) if replaces_all else (),
            is_recursive=False,
            is_again=True,
            then=(),
        )
        self._batch.caption(paths, options)
