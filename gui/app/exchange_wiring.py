"""Connects exporting and importing captions with their dialogs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from shiboken6 import isValid

from core.errors import AppError, Cancelled
from core.workspace import EditReport
from core.workspace.export import FilesInTheWay, common_root
from gui.app.open_dialog import OpenDialog
from gui.app.tasks import Begin
from gui.session.caption_editing import CaptionEditing
from gui.session.exchange import IMPORT_NAME, Exchange, ExportRequest
from gui.session.worker_thread import unforeseen
from gui.session.workspace import FolderWorkspace
from gui.widgets.counted import counted
from gui.widgets.file_manager import reveal
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.workspace.export_dialog import ExportDialog
from gui.workspace.export_form import ExportChoice, Scope, ScopeCounts
from gui.workspace.import_dialog import ImportDialog


class ExchangeWiring(QObject):
    """What is typed is written first, so that it is exported too."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        exchange: Exchange,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._workspace, self._editing = window, workspace, editing
        self._exchange, self._begin = exchange, begin
        self._last: ExportChoice | None = None
        self._is_importing = self._has_reviews = False
        self._export_dialog = OpenDialog[ExportDialog]()
        window.command_actions.bind(Command.EXPORT_CAPTIONS, self._open_export)
        window.command_actions.bind(Command.IMPORT_CAPTIONS, self._open_import)
        exchange.progressed.connect(self._on_progressed)
        workspace.edited.connect(self._on_edited)

    # Exporting

    def _open_export(self) -> None:
        workspace = self._workspace
        selected = self._window.workspace_pane.list.selected_count
        counts = ScopeCounts(workspace.total, len(workspace.ids), selected)
        dialog = ExportDialog(common_root(workspace.roots), counts, self._window)
        if self._last is not None:
            dialog.form.show_choice(self._last)
        dialog.asked.connect(self._on_export_asked)
        dialog.stopped.connect(self._exchange.stop)
        dialog.reveal_asked.connect(reveal)
        self._export_dialog.keep(dialog)
        open_without_waiting(dialog)

    @Slot(float)
    def _on_progressed(self, share: float) -> None:
        if dialog := self._export_dialog.now:
            dialog.show_progress(share)

    @Slot(object, bool)
    def _on_export_asked(self, choice: ExportChoice, replaces: bool) -> None:
        self._last = choice
        self._editing.write()
        ids = {
            Scope.ALL: None,
            Scope.LISTED: list(self._workspace.ids),
            Scope.SELECTED: self._window.workspace_pane.list.selected_ids,
        }[choice.scope]
        request = ExportRequest(choice.options, ids, choice.adds_reviews, replaces)
        self._begin(self._export(request))

    async def _export(self, request: ExportRequest) -> None:
        try:
            report = await self._exchange.export(request)
        except Cancelled as error:
            self._show_refusal(translated(error))
        except FilesInTheWay as error:
            self._show_refusal(translated(error), can_replace=True)
        except AppError as error:
            self._show_refusal(translated(error))
        except Exception:
            self._show_refusal(translated(unforeseen()))  # Otherwise it could not be closed.
            raise
        else:
            if dialog := self._export_dialog.now:
                dialog.show_report(report)

    def _show_refusal(self, reason: str, *, can_replace: bool = False) -> None:
        if dialog := self._export_dialog.now:
            dialog.show_refusal(reason, can_replace=can_replace)

    # Importing

    def _open_import(self) -> None:
        dialog = ImportDialog(common_root(self._workspace.roots), self._window)
        dialog.source_chosen.connect(partial(self._look_into, dialog))
        dialog.stopped.connect(self._exchange.stop)
        dialog.asked.connect(self._on_import_asked)
        open_without_waiting(dialog)

    def _look_into(self, dialog: ImportDialog, source: Path) -> None:
        self._editing.write()
        self._begin(self._show_found(dialog, source))

    async def _show_found(self, dialog: ImportDialog, source: Path) -> None:
        try:
            found = await self._exchange.look_into(source)
        except Cancelled:
            pass  # The dialog says so, or another file is looked into.
        except AppError as error:
            if isValid(dialog) and dialog.waits_for(source):
                dialog.show_refusal(translated(error))
        except Exception:
            if isValid(dialog) and dialog.waits_for(source):
                dialog.show_refusal(translated(unforeseen()))
            raise
        else:
            if isValid(dialog) and dialog.waits_for(source):
                dialog.show_found(found)

    @Slot(object, object)
    def _on_import_asked(self, captions: list, reviews: list) -> None:
        self._is_importing = True
        self._has_reviews = bool(reviews)
        self._exchange.take(captions, reviews)

    @Slot(object)
    def _on_edited(self, report: EditReport) -> None:
        if self._is_importing and report.name == IMPORT_NAME:
            self._is_importing = False
            one = self.tr("Imported 1 caption. Undo takes it back.")
            many = self.tr("Imported {count} captions. Undo takes them back.")
            if self._has_reviews:
                one = self.tr("Imported what the file has for 1 image. Undo takes it back.")
                many = self.tr("Imported what the file has for {count} images. Undo takes it back.")
            self._window.show_notice(counted(len(report.changed), one, many))
