"""Connects notes and the variables of prompts with the window: filled in, shown, sent or not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from shiboken6 import isValid

from core.captions.check import named
from core.captions.variables import Filled, Notes, explained, personal_variables, variables_in
from core.errors import AppError
from core.workspace import ImageRow, Workspace
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.folder_run import FolderRun
from gui.session.model_thread import ModelThread
from gui.session.sent_metadata import MetadataConsent, far_server, names_of, refusal
from gui.session.settings_file import SettingsFile
from gui.session.workspace import FolderWorkspace
from gui.window.commands import Command
from gui.window.file_dialogs import open_without_waiting
from gui.window.main_window import MainWindow
from gui.workspace.notes_dialog import NotesDialog


class NotesWiring(QObject):
    """Notes are kept in the workspace; the form of a run has those of its images."""

    def __init__(
        self,
        window: MainWindow,
        listing: WorkspaceWiring,
        workspace: FolderWorkspace,
        run: FolderRun,
        *,
        model: ModelThread,
        consent: MetadataConsent,
        settings_file: SettingsFile,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._listing, self._workspace = window, listing, workspace
        self._run, self._model, self._consent = run, model, consent
        self._settings_file, self._begin = settings_file, begin
        self._last_write: asyncio.Task[None] | None = None
        # What could not be written yet, as on a full disk, by what it is about.
        self._unwritten: dict[Path, str] = {}
        window.command_actions.bind(Command.NOTES, self._open_dialog)
        run.roots_changed.connect(self._on_roots_changed)
        workspace.changed.connect(self._on_workspace_changed)
        self._known_roots: list[Path] = []

    async def filled(self, prompt: str) -> str | None:
        """Return a question with its variables filled in for the image in view. None if it may not
        be sent; then it is in the prompt again, and a notice says why."""
        path = self._window.state.picture.path
        if path is None or not variables_in(prompt):
            return prompt
        if reason := refusal(self._model.choice.model, [prompt], [path], self._consent):
            self._window.give_prompt_back(prompt)
            self._window.show_notice(reason)
            return None
        row = self._listing.current
        caption = row.caption if row is not None and row.path == path else ""
        notes = await self._notes_of(path)
        found = await asyncio.to_thread(explained, prompt, path, 1, caption, Notes(*notes))
        return found.text

    async def close(self) -> None:
        """Wait until what was typed is kept, as far as that is possible."""
        if self._last_write is not None:
            with suppress(AppError):
                await self._last_write
        if self._unwritten:
            with suppress(AppError):
                await self._write(dict(self._unwritten))

    async def _notes_of(self, path: Path) -> tuple[str, str]:
        """Return the note about the image's folder, and the one about the image."""
        root = self._root_of(path)

        def read(workspace: Workspace) -> tuple[str, str]:
            return workspace.note(root), workspace.note(path)

        folder, image = await self._workspace.read(read) or ("", "")
        return self._unwritten.get(root, folder), self._unwritten.get(path, image)

    def _root_of(self, path: Path) -> Path:
        """Return the folder that was opened, in which an image is."""
        roots = self._workspace.roots
        return next((root for root in roots if path.is_relative_to(root)), path.parent)

    # The form of a run

    @Slot()
    def _on_workspace_changed(self) -> None:
        if self._workspace.roots != self._known_roots:
            self._known_roots = list(self._workspace.roots)
            self._begin(self._show_in_form())

    @Slot(list)
    def _on_roots_changed(self, roots: list[Path]) -> None:
        self._begin(self._show_in_form())

    async def _show_in_form(self) -> None:
        """Give the form the notes about the images of its run."""
        known, places = self._workspace.roots, self._run.roots or self._workspace.roots
        root = next((one for one in known if all(p.is_relative_to(one) for p in places)), None)

        def read(workspace: Workspace) -> tuple[str, tuple[tuple[str, str], ...]]:
            return workspace.note(root) if root else "", workspace.image_notes()

        found = await self._workspace.read(read)
        self._window.batch_panel.form.show_notes(*(found or ("", ())))

    # The dialog

    def _prompts(self) -> tuple[str, ...]:
        """What would be asked now."""
        window = self._window
        if not window.state.is_conversation:
            return window.batch_panel.form.prompt_list.prompts
        return (window.prompt_box.text.strip() or window.prompt_box.offer.suggestion,)

    def _open_dialog(self) -> None:
        row = self._listing.current
        if row is None:
            return
        # Another folder may be opened meanwhile, from a file manager.
        root = self._root_of(row.path)
        dialog = NotesDialog(root.name, row.path.name, self._window)
        dialog.written.connect(partial(self._on_written, dialog, row, root))
        dialog.consent_given.connect(partial(self._on_consent_given, dialog, row))
        open_without_waiting(dialog)
        self._begin(self._show_notes(dialog, row))

    async def _show_notes(self, dialog: NotesDialog, row: ImageRow) -> None:
        notes = await self._notes_of(row.path)
        if isValid(dialog):
            dialog.show_notes(*notes)

    async def _write(self, notes: dict[Path, str]) -> None:
        """Keep notes by what they are about. Raises StoreError; then they are kept later."""
        self._unwritten |= notes

        def write(workspace: Workspace) -> bool:
            for path, text in notes.items():
                workspace.set_note(path, text)
            return True

        if await self._workspace.read(write):
            written = notes.items() & self._unwritten.items()
            for path, _ in written:
                del self._unwritten[path]

    def _on_written(self, dialog: NotesDialog, row: ImageRow, root: Path) -> None:
        """The dialog may be closed and deleted in a moment."""
        folder, image = dialog.notes
        self._last_write = asyncio.ensure_future(self._write({root: folder, row.path: image}))
        self._begin(self._show_written(dialog, row, self._last_write, folder, image))

    async def _show_written(
        self,
        dialog: NotesDialog,
        row: ImageRow,
        writing: asyncio.Future[None],
        folder: str,
        image: str,
    ) -> None:
        prompts = self._prompts()
        await writing
        await self._show_in_form()
        tags = named(self._window.batch_panel.form.more.checks.vocabulary)
        notes = Notes(folder, image, tags)
        filled = await asyncio.to_thread(_filled, prompts, row, notes)
        if isValid(dialog):
            dialog.show_prompts(filled)
            self._show_consent(dialog, row, prompts)

    def _show_consent(self, dialog: NotesDialog, row: ImageRow, prompts: Sequence[str]) -> None:
        server = far_server(self._model.choice.model)
        personal = personal_variables(" ".join(prompts))
        if not server or not personal:
            dialog.show_consent("", can_give=False)
            return
        is_given = self._consent.covers([self._root_of(row.path)])
        text = self.tr("{names} may say something about people. They go to {server}.")
        if not is_given:
            text = self.tr(
                "{names} may say something about people. They are sent to {server} only if you "
                "allow it."
            )
        text = text.format(names=names_of(personal), server=server)
        dialog.show_consent(text, can_give=not is_given)

    def _on_consent_given(self, dialog: NotesDialog, row: ImageRow) -> None:
        self._consent.give([self._root_of(row.path)])
        self._begin(self._settings_file.save())
        self._show_consent(dialog, row, self._prompts())


def _filled(prompts: Sequence[str], row: ImageRow, notes: Notes) -> list[Filled]:
    return [explained(prompt, row.path, 1, row.caption, notes) for prompt in prompts]
