"""Connects the presets with the folder run, the conversation, the list of images and their
dialog."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot
from shiboken6 import isValid

from core.errors import StoreError
from core.workspace import Preset, Presets, read_presets, read_vocabulary, write_presets
from gui.app.batch_wiring import BatchWiring
from gui.app.tasks import Begin
from gui.session.preset_store import PresetStore
from gui.session.workspace import FolderWorkspace
from gui.widgets.scrolled_page import scroll_to
from gui.widgets.translated import translated
from gui.window.command_table_images import PRESET_COMMANDS
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.workspace.presets_dialog import PresetsDialog


class PresetsWiring(QObject):
    """A preset fills in the form of a run; in the conversation, the prompt."""

    def __init__(
        self,
        window: MainWindow,
        store: PresetStore,
        workspace: FolderWorkspace,
        batch: BatchWiring,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._store, self._workspace = window, store, workspace
        self._batch, self._begin = batch, begin
        self._panel = window.batch_panel
        button = self._panel.controls.presets_button
        button.chosen.connect(self.show_in_run)
        button.save_asked.connect(self._save_form)
        button.edit_asked.connect(self._edit)
        window.prompt_box.presets_edit_asked.connect(self._edit)
        window.prompt_box.prompt_save_asked.connect(self._save_prompt)
        self._panel.form.more.checks.file_chosen.connect(self._on_vocabulary_chosen)
        store.changed.connect(self.refresh)
        store.noticed.connect(window.show_notice)
        window.command_actions.bind(Command.PRESETS, self._edit)
        for number, command in enumerate(PRESET_COMMANDS):
            window.command_actions.bind(command, partial(self._begin_run, number))
        self.refresh()
        begin(store.load())

    @Slot()
    def refresh(self) -> None:
        """Offer the presets where one chooses among them."""
        presets = self._store.presets
        self._panel.controls.presets_button.show_presets(presets)
        self._window.prompt_box.show_presets(presets)
        keyed = presets.all[: len(PRESET_COMMANDS)]
        self._window.states.update(presets=tuple(one.name for one in keyed))

    @Slot(object)
    def show_in_run(self, preset: Preset) -> None:
        """Fill in the form of the run, and go to what the person has to fill in."""
        field = self._panel.form.show_preset(preset)
        if field is not None:
            self._panel.controls.more_button.setChecked(True)
            field.setFocus()
            # It has its place only once the options are laid out.
            QTimer.singleShot(0, field, partial(scroll_to, field))

    def _begin_run(self, number: int) -> None:
        """Choose a run over the selected images, or over all that are listed."""
        presets = self._store.presets.all
        if number < len(presets):
            self._begin(self._choose_run(presets[number]))

    async def _choose_run(self, preset: Preset) -> None:
        images = self._window.workspace_pane.list
        workspace = self._workspace
        paths: list[Path] | None = list(workspace.roots)
        if images.selected_count > 1 or workspace.listing.query.strip():
            ids = images.selected_ids if images.selected_count > 1 else list(workspace.ids)
            paths = await workspace.read(lambda open: [row.path for row in open.rows(ids)])
        if paths:
            self._batch.choose(paths)
            self.show_in_run(preset)

    @Slot(Path)
    def _on_vocabulary_chosen(self, path: Path) -> None:
        self._begin(self._read_vocabulary(path))

    async def _read_vocabulary(self, path: Path) -> None:
        tags = await asyncio.to_thread(read_vocabulary, path)
        self._panel.form.more.checks.show_vocabulary(tags)

    # Editing

    @Slot()
    def _edit(self) -> None:
        self._open_dialog()

    @Slot()
    def _save_form(self) -> None:
        form = self._panel.form
        if not form.prompt_list.prompts:
            self._window.show_notice(self.tr("Enter a prompt to save it as a preset."))
            return
        self._open_dialog().begin_new(form.as_preset(self.tr("My preset")))

    @Slot(str)
    def _save_prompt(self, prompt: str) -> None:
        self._open_dialog().begin_new(Preset(self.tr("My preset"), (prompt,)))

    def _open_dialog(self) -> PresetsDialog:
        dialog = PresetsDialog(self._window.theme, self._store.presets, self._window)
        dialog.changed.connect(self._on_changed)
        dialog.import_asked.connect(partial(self._import, dialog))
        dialog.export_asked.connect(partial(self._export, dialog))
        open_without_waiting(dialog)
        return dialog

    @Slot(object, object)
    def _on_changed(self, presets: Presets, before: Presets) -> None:
        self._begin(self._store.keep(presets, before))

    def _import(self, dialog: PresetsDialog, path: Path) -> None:
        self._begin(self._read(dialog, path))

    async def _read(self, dialog: PresetsDialog, path: Path) -> None:
        try:
            found = await asyncio.to_thread(read_presets, path)
        except StoreError as error:
            if isValid(dialog):
                dialog.show_problem(translated(error))
            return
        if isValid(dialog):
            dialog.show_imported(found)

    def _export(self, dialog: PresetsDialog, path: Path, presets: list[Preset]) -> None:
        self._begin(self._write(dialog, path, presets))

    async def _write(self, dialog: PresetsDialog, path: Path, presets: list[Preset]) -> None:
        try:
            await asyncio.to_thread(write_presets, presets, path)
        except StoreError as error:
            if isValid(dialog):
                dialog.show_problem(translated(error))
