"""Connects edits of many captions, and moves of images, with their dialogs and commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from core.batch import Conflict
from core.workspace import (
    AddTags,
    CaptionMode,
    EditReport,
    Operation,
    PatternError,
    Preview,
    SetCaption,
    Workspace,
    tags_of,
)
from gui.app.edit_sentences import conflicts_text, failures_text, stopped_text
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.batch.conflict_dialog import ConflictDialog
from gui.session.bulk_editing import BulkEditing
from gui.session.caption_editing import CaptionEditing
from gui.session.picture_list import PictureList
from gui.session.workspace import FolderWorkspace
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.window.view_state import ViewState
from gui.workspace.bulk_dialog import BulkDialog, Scope
from gui.workspace.bulk_fields import BulkKind
from gui.workspace.bulk_report import FailuresDialog, TrashDialog


class BulkWiring(QObject):
    """What is done to the selected images, to the one in view, or to all that are listed.

    `dialog_made(BulkDialog)`.
    """

    dialog_made = Signal(object)

    def __init__(
        self,
        window: MainWindow,
        listing: WorkspaceWiring,
        workspace: FolderWorkspace,
        bulk: BulkEditing,
        editing: CaptionEditing,
        pictures: PictureList,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._listing, self._workspace = window, listing, workspace
        self._bulk, self._editing, self._pictures = bulk, editing, pictures
        self._begin = begin
        self._dialog: BulkDialog | None = None
        self._shown_images: tuple[object, ...] = ()
        self._mode = CaptionMode.TEXT
        self._are_leaving = False
        self._neighbour: Path | None = None
        self._asked_ids: list[int] = []
        self._asked_report: EditReport | None = None
        bulk.previewed.connect(self._on_previewed)
        bulk.refused.connect(self._on_refused)
        bulk.last_changed.connect(listing.refresh)
        workspace.edited.connect(self._on_edited)
        workspace.mode_changed.connect(self._on_mode_changed)
        window.states.changed.connect(self._on_state_changed)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        bind = window.command_actions.bind
        bind(Command.BULK_EDIT, self._open)
        bind(Command.BULK_REPLACE, self._open_replace)
        bind(Command.REPEAT_EDIT, self._repeat)
        bind(Command.COPY_CAPTION, self._copy)
        bind(Command.PASTE_CAPTION, self._paste)
        bind(Command.MOVE_IMAGES, self._ask_folder)
        bind(Command.TRASH_IMAGES, self._ask_trash)

    # The dialog

    def _open(self) -> None:
        self._open_at(None)

    def _open_replace(self) -> None:
        self._open_at(BulkKind.REPLACE)

    def _open_at(self, kind: BulkKind | None) -> None:
        dialog = self._dialog
        if dialog is None:
            dialog = self._dialog = BulkDialog(self._window.theme, self._window)
            dialog.preview_asked.connect(self._on_preview_asked)
            dialog.apply_asked.connect(self._on_apply_asked)
            dialog.preview_left.connect(self._bulk.leave)
            self.dialog_made.emit(dialog)
        self._editing.write()
        self._shown_images = ()
        self._on_state_changed(self._window.state)
        dialog.open_at(kind)
        self._begin(self._read_tags())

    @Slot()
    def _on_mode_changed(self) -> None:
        if self._dialog is not None and self._dialog.isVisible():
            self._begin(self._read_tags())

    async def _read_tags(self) -> None:
        found = await self._workspace.read(_mode_and_tags)
        if found is not None and self._dialog is not None:
            self._mode, counts = found
            self._dialog.show_tags(has_tags=self._mode is CaptionMode.TAGS, counts=counts)

    @Slot(object)
    def _on_state_changed(self, state: ViewState) -> None:
        """Others may be selected or listed while the dialog is open."""
        if self._dialog is None:
            return
        shown = state.workspace
        images = (shown.selected, shown.listed, shown.query)
        if not shown.is_open:
            self._dialog.close()
        elif images != self._shown_images:
            self._shown_images = images
            self._dialog.show_images(shown.selected, shown.listed, is_searched=bool(shown.query))

    @Slot(object, object)
    def _on_preview_asked(self, operation: Operation | None, scope: Scope) -> None:
        self._begin(self._bulk.preview(self._ids_of(scope), operation))

    @Slot(object, object)
    def _on_apply_asked(self, operation: Operation, scope: Scope) -> None:
        self._editing.write()
        self._bulk.apply(self._ids_of(scope), operation)

    @Slot(object, bool)
    def _on_previewed(self, preview: Preview, is_whole: bool) -> None:
        if self._dialog is not None:
            self._dialog.show_preview(preview, is_whole)

    @Slot(object)
    def _on_refused(self, error: PatternError) -> None:
        if self._dialog is not None:
            self._dialog.show_error(translated(error.message))

    def _ids_of(self, scope: Scope) -> Sequence[int]:
        if scope is Scope.LISTED:
            return self._workspace.ids
        return self._window.workspace_pane.list.selected_ids

    # Without it

    def _repeat(self) -> None:
        self._editing.write()
        self._bulk.repeat(self._listing.meant_ids)

    def _copy(self) -> None:
        """Copies what is in the editor, which has an edit before the list has."""
        id = self._listing.current_id
        if self._editing.is_known and self._editing.id == id:
            QGuiApplication.clipboard().setText(self._editing.text)
        elif id is not None:
            self._begin(self._copy_caption_of(id))

    async def _copy_caption_of(self, id: int) -> None:
        for row in await self._workspace.read(lambda workspace: workspace.rows([id])) or ():
            QGuiApplication.clipboard().setText(row.caption)

    def _paste(self) -> None:
        # What is gone to while the text is being read is not meant.
        self._begin(self._paste_into(self._listing.meant_ids))

    async def _paste_into(self, ids: Sequence[int]) -> None:
        found = await self._workspace.read(_mode_and_tags)
        # Read in order, so that a copy that was asked for before is there.
        text = QGuiApplication.clipboard().text().strip()
        if found is None or not text:
            self._window.show_notice(self.tr("There is no text to paste. Copy a caption first."))
            return
        mode, _ = found
        is_tags = mode is CaptionMode.TAGS
        self._editing.write()
        self._bulk.apply(ids, AddTags(tuple(tags_of(text))) if is_tags else SetCaption(text))

    # Moving

    def _ask_folder(self) -> None:
        if (current := self._listing.current) is None:
            return
        self._asked_ids = self._listing.meant_ids
        dialog = QFileDialog(self._window, self.tr("Move to folder"), str(current.path.parent))
        dialog.setObjectName("move_dialog")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self._on_folder_chosen)
        open_without_waiting(dialog)

    @Slot(str)
    def _on_folder_chosen(self, name: str) -> None:
        self._begin(self._move(self._asked_ids, Path(name)))

    async def _move(self, ids: Sequence[int], folder: Path) -> None:
        await self._leave(ids)
        self._bulk.move(ids, folder)

    def _ask_trash(self) -> None:
        if (current := self._listing.current) is None:
            return
        ids = self._asked_ids = self._listing.meant_ids
        table = self._workspace.source.table
        dialog = TrashDialog(len(ids), current.path.name, self._window, table=table)
        dialog.confirmed.connect(self._on_trash_confirmed)
        dialog.open()

    @Slot()
    def _on_trash_confirmed(self) -> None:
        self._begin(self._trash(self._asked_ids))

    async def _trash(self, ids: Sequence[int]) -> None:
        await self._leave(ids)
        self._bulk.trash(ids)

    async def _leave(self, ids: Sequence[int]) -> None:
        """Images are going away: note what is to be shown in the place of the one in view."""
        self._editing.write()
        listed, going = self._workspace.ids, set(ids)
        place = self._window.workspace_pane.list.currentIndex().row()
        near = (*listed[place + 1 :], *reversed(listed[: max(place, 0)]))
        found = next((id for id in near if id not in going), None)
        self._neighbour = None if found is None else await self._workspace.path_of(found)
        self._are_leaving = True

    async def _show_neighbour(self) -> None:
        path = self._pictures.path
        if path is None or await self._workspace.row_of(path) is not None:
            return
        if self._neighbour is None:
            await self._pictures.close_picture()
        else:
            await self._pictures.open_path(self._neighbour)

    # What became of it

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        """One sentence for however many images could not be changed."""
        if self._dialog is not None:
            self._dialog.show_report(report)
        if self._are_leaving:
            self._are_leaving = False
            self._begin(self._show_neighbour())
        failures, window = report.failures, self._window
        if report.note and not failures:
            window.show_notice(translated(report.note))
        if report.left:
            window.show_notice(stopped_text(report))
        show = NoticeAction(NoticeActionKind.SHOW_EDIT_REPORT, self.tr("Show all"), report)
        if failures:
            window.show_notice(failures_text(failures), show if len(failures) > 1 else None)
        others = tuple(one for one in report.conflicts if not self._editing.shows(one))
        if others:
            self._offer_to_decide(replace(report, failures=(), conflicts=others))

    def _offer_to_decide(self, report: EditReport) -> None:
        """It stands until somebody has said which texts are to stay."""
        text = conflicts_text(len(report.conflicts))
        decide = NoticeAction(NoticeActionKind.SHOW_EDIT_REPORT, self.tr("Compare…"), report)
        self._window.show_notice(text, decide)

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.SHOW_EDIT_REPORT, _, EditReport() as report):
                if report.conflicts:
                    self._ask_about_conflicts(report)
                else:
                    name = translated(report.name)
                    open_without_waiting(FailuresDialog(name, report.failures, self._window))
            case _:
                pass

    def _ask_about_conflicts(self, report: EditReport) -> None:
        conflicts = [Conflict(one.id, one.path, one.found, one.ours) for one in report.conflicts]
        dialog = ConflictDialog(conflicts, self._window)
        self._asked_report = report
        dialog.decided.connect(self._on_conflicts_decided)
        dialog.open()

    @Slot(object, object)
    def _on_conflicts_decided(self, overwritten: set[int], kept: set[int]) -> None:
        if (report := self._asked_report) is None:
            return
        if overwritten:
            self._bulk.overwrite(report, overwritten)
        if kept:
            self._bulk.drop_drafts([one for one in report.conflicts if one.id in kept])
        left = [one for one in report.conflicts if one.id not in overwritten | kept]
        if left:
            self._offer_to_decide(replace(report, conflicts=tuple(left)))


def _mode_and_tags(workspace: Workspace) -> tuple[CaptionMode, dict[str, int]]:
    mode = workspace.options.mode
    return mode, dict(workspace.tags()) if mode is CaptionMode.TAGS else {}
