"""Connects the search for duplicates with its dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from shiboken6 import isValid

from core.message import translatable
from core.workspace import TRASH_HAS_WAY_BACK, EditReport, ScanProgress, ScanStage, Workspace
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.session.duplicate_search import DuplicateSearch
from gui.session.workspace import FolderWorkspace
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow

if TYPE_CHECKING:
    from gui.workspace.duplicates_dialog import DuplicatesDialog

COPY_NAME = translatable("core", "Copy caption to duplicates")


class DuplicatesWiring(QObject):
    """What is done in the dialog is an edit of the workspace, and undone like any other."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        search: DuplicateSearch,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._search = window, workspace, search
        self._begin = begin
        self._dialog: OpenDialog[DuplicatesDialog] = OpenDialog()
        window.command_actions.bind(Command.FIND_DUPLICATES, self._open)
        search.progressed.connect(self._on_progressed)
        workspace.edited.connect(self._on_edited)
        workspace.changed.connect(self._on_workspace_changed)

    def _open(self) -> None:
        # The window's first paint need not wait for it.
        from gui.workspace.duplicates_dialog import DuplicatesDialog

        dialog = DuplicatesDialog(
            self._window.thumbnails, has_way_back=TRASH_HAS_WAY_BACK, parent=self._window
        )
        dialog.kind_changed.connect(self._on_kind_changed)
        dialog.stopped.connect(self._search.stop)
        dialog.group_wanted.connect(self._on_group_wanted)
        dialog.trash_asked.connect(self._on_trash_asked)
        dialog.copy_asked.connect(self._on_copy_asked)
        dialog.undo_asked.connect(self._workspace.undo)
        self._dialog.keep(dialog)
        open_without_waiting(dialog)
        self._begin(self._find(dialog))

    async def _find(self, dialog: DuplicatesDialog) -> None:
        if not isValid(dialog):  # It was closed in the same moment.
            return
        groups = await self._search.find(only_equal=dialog.only_equal)
        if isValid(dialog):
            dialog.show_groups(groups)

    @Slot(object)
    def _on_progressed(self, progress: ScanProgress) -> None:
        if progress.total and (dialog := self._dialog.now):
            # Two stages: reading files whole, then decoding images.
            is_second = progress.stage is ScanStage.SIMILARITY
            dialog.show_searching((is_second + progress.done / progress.total) / 2)

    @Slot(object)
    def _on_group_wanted(self, ids: tuple[int, ...]) -> None:
        if ids and (dialog := self._dialog.now):
            self._begin(self._show_rows(dialog, ids))

    async def _show_rows(self, dialog: DuplicatesDialog, ids: tuple[int, ...]) -> None:
        rows = await self._workspace.read(lambda workspace: workspace.rows(ids))
        if isValid(dialog) and dialog.group == ids:
            dialog.show_rows(rows or [])

    @Slot(object)
    def _on_trash_asked(self, ids: list[int]) -> None:
        self._workspace.edit_many(lambda workspace: workspace.begin_trash(ids))

    @Slot(int, object)
    def _on_copy_asked(self, id: int, others: list[int]) -> None:
        def copy(workspace: Workspace) -> EditReport:
            (row,) = workspace.rows([id])
            return workspace.set_captions(dict.fromkeys(others, row.caption), COPY_NAME)

        self._workspace.edit(copy)

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        if dialog := self._dialog.now:
            self._begin(self._find(dialog))

    @Slot()
    def _on_kind_changed(self) -> None:
        if dialog := self._dialog.now:
            self._begin(self._find(dialog))

    @Slot()
    def _on_workspace_changed(self) -> None:
        if dialog := self._dialog.now:
            dialog.show_can_undo(self._workspace.undo_text)
