"""Connects the alternative text of the image in view with its dialog."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from core.message import translatable
from core.workspace import ImageRow
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.session.caption_editing import CaptionEditing
from gui.session.drafts_outside import DraftsOutside
from gui.session.workspace import FolderWorkspace
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.workspace.alt_text_dialog import AltTextDialog

EDIT_NAME = translatable("core", "Edit alt text")


class AltTextWiring(QObject):
    """What is written is the caption, in a form that exports understand."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        drafts: DraftsOutside,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._editing = window, workspace, editing
        self._drafts, self._begin = drafts, begin
        self._dialog = OpenDialog[AltTextDialog]()
        window.command_actions.bind(Command.ALT_TEXT, self._open)

    def _open(self) -> None:
        self._editing.write()
        if (id := self._editing.id) is not None:
            self._begin(self._show(id))

    async def _show(self, id: int) -> None:
        rows = await self._workspace.read(lambda workspace: workspace.rows([id]))
        if rows and self._dialog.in_sight is None:
            (row,) = rows
            dialog = AltTextDialog(row.path.name, row.caption, self._window)
            dialog.written.connect(partial(self._on_written, row))
            dialog.drafted.connect(partial(self._drafts.keep_or_forget, row))
            self._dialog.keep(dialog)
            open_without_waiting(dialog)

    def _on_written(self, row: ImageRow, caption: str) -> None:
        drafted = self._drafts.hand_over(row)
        self._editing.write_for(row, caption, EDIT_NAME, drafted=drafted)
