"""Says what a person wrote that is not in its caption file: when the window is closed, and when its
folder is opened again."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.session.caption_editing import CaptionEditing
from gui.session.picture_list import PictureList
from gui.session.row_drafts import RowDrafts
from gui.session.workspace import FolderWorkspace
from gui.widgets.notice import Notice, NoticeAction, NoticeActionKind
from gui.window.file_dialogs import open_without_waiting
from gui.window.leave_dialog import UnsavedDialog
from gui.window.main_window import MainWindow


class UnsavedWiring(QObject):
    """The window is closed once all is written, or a dialog has said what is not.

    `stayed()`: it stays open.
    """

    stayed = Signal()

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        pictures: PictureList,
        *,
        editing: CaptionEditing,
        rows: RowDrafts,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._pictures = window, workspace, pictures
        self._editing, self._rows, self._begin = editing, rows, begin
        self._looked_at = -1
        self._dialog = OpenDialog[UnsavedDialog]()
        editing.changed.connect(self._refresh)
        editing.changed.connect(self._on_editing_changed)
        rows.changed.connect(self._refresh)
        window.batch_panel.list.drafted.connect(rows.keep)
        window.batch_panel.list.draft_dropped.connect(rows.drop)
        # Before it is written, which may have to wait for another program.
        window.batch_panel.edited.connect(rows.keep)
        window.unsaved_left.connect(self._on_left)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        workspace.reading.ended.connect(self._on_read)
        workspace.edited.connect(self._on_edited)

    # When the window is closed

    @Slot()
    def _refresh(self) -> None:
        has_unsaved = self._editing.has_unsaved or bool(self._rows.unsaved)
        self._window.states.update(has_unsaved=has_unsaved)

    @Slot()
    def _on_left(self) -> None:
        self._begin(self._save_and_leave())

    async def _save_and_leave(self) -> None:
        await self._editing.finish()
        await self._rows.finish()
        left = [*self._editing.unsaved, *self._rows.unsaved]
        if self._rows.is_undecided:
            self.stayed.emit()  # A dialog asks about it.
            return
        if not left:
            self._window.leave()
            return
        if self._dialog.in_sight is not None:
            return
        names = list(dict.fromkeys(one.path.name for one in left))
        are_kept = all(one.is_kept for one in left)
        dialog = UnsavedDialog(names, left[0].reason, are_kept=are_kept, parent=self._window)
        dialog.again_asked.connect(self._on_left)
        dialog.confirmed.connect(self._window.leave)
        dialog.rejected.connect(self.stayed)
        self._dialog.keep(dialog)
        open_without_waiting(dialog)

    # When its folder is opened again

    @Slot()
    def _on_read(self) -> None:
        if self._workspace.serial != self._looked_at:
            self._looked_at = self._workspace.serial
            self._begin(self._look())

    @Slot()
    def _on_editing_changed(self) -> None:
        """What is in the editor now is seen there."""
        offered = [one.action.about for one in self._offers if one.action]
        if self._editing.path in offered:
            self._begin(self._look())

    @Slot(object)
    def _on_edited(self, _: object) -> None:
        if self._offers:
            self._begin(self._look())

    @property
    def _offers(self) -> list[Notice]:
        kind = NoticeActionKind.SHOW_UNSAVED
        notices = self._window.state.notices
        return [one for one in notices if one.action and one.action.kind is kind]

    async def _look(self) -> None:
        """Offer what was being written for images that are not in the editor."""
        read = self._workspace.read
        rows = await read(lambda workspace: workspace.rows(workspace.drafts.unsaved())) or []
        paths = [row.path for row in rows if row.path != self._editing.path]
        for notice in self._offers:
            self._window.states.dismiss(notice)
        if not paths:
            return
        text = self.tr("What you wrote for “{name}” is not in its caption file yet.")
        if len(paths) > 1:
            text = self.tr("What you wrote for {count} images is not in their caption files yet.")
        show = NoticeAction(NoticeActionKind.SHOW_UNSAVED, self.tr("Show"), paths[0])
        self._window.show_notice(text.format(name=paths[0].name, count=f"{len(paths):,}"), show)

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.SHOW_UNSAVED, _, Path() as path):
                self._begin(self._show(path))
            case _:
                pass

    async def _show(self, path: Path) -> None:
        await self._pictures.open_path(path)
        await self._look()
