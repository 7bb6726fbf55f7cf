"""Joins the model shelf with its dialog and the window: who hears whom, and who opens it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from core.engine import Failed, Loading, ModelState, Ready
from core.errors import CheckpointError
from core.hub import Hub, JobKind, JobState, ModelJob
from core.transcript import ModelChoice, Precision
from gui.models.dialog import ModelsDialog
from gui.session.model_library import ModelLibrary
from gui.widgets.theme import Theme
from gui.window.main_window import MainWindow


class ModelsWiring(QObject):
    """`begin` starts a coroutine; `load` loads a choice; `choice` gives the one of the settings;
    `loaded` the one that the model's thread has, or has on its way."""

    def __init__(
        self,
        window: MainWindow,
        shelf: ModelLibrary,
        theme: Theme,
        begin: Callable[[Coroutine], None],
        load: Callable[[ModelChoice], Coroutine],
        choice: Callable[[], ModelChoice],
        loaded: Callable[[], ModelChoice],
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._shelf, self._theme = window, shelf, theme
        self._begin, self._load = begin, load
        self._choice, self._loaded = choice, loaded
        self._state: ModelState | None = None
        self._dialog: ModelsDialog | None = None
        shelf.job_changed.connect(self._on_job_changed)
        shelf.moved.connect(self._on_moved)
        shelf.noticed.connect(self._on_noticed)
        window.models_asked.connect(self.open)

    @Slot()
    def open(self) -> None:
        """Show the dialog, or bring it forward."""
        if self._dialog is None:
            self._dialog = self._make_dialog()
        dialog = self._dialog
        match self._state:
            case Failed(CheckpointError(missing_id=str() as hub_id)) if hub_id:
                dialog.want(hub_id)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    @Slot(object)
    def show_model_state(self, state: ModelState) -> None:
        was_ready = isinstance(self._state, Ready)
        is_other = type(state) is not type(self._state)
        self._state = state
        if self._dialog is None:
            return
        self._dialog.show_model_state(state, self._loaded().model)
        if is_other and (was_ready or isinstance(state, Ready)):
            self._begin(self._shelf.refresh(_bytes_of(state)))

    def _make_dialog(self) -> ModelsDialog:
        dialog, shelf = ModelsDialog(self._theme, self._window), self._shelf
        if self._state is not None:
            dialog.show_model_state(self._state, self._loaded().model)
        dialog.show_jobs(shelf.jobs)
        shelf.models_listed.connect(dialog.show_entries)
        shelf.job_changed.connect(dialog.show_job)
        shelf.options_changed.connect(dialog.show_options)
        dialog.look_up_asked.connect(self._on_look_up_asked)
        dialog.get_asked.connect(self._on_get_asked)
        dialog.paused.connect(shelf.pause)
        dialog.cancelled.connect(self._on_cancelled)
        dialog.load_asked.connect(self._on_load_asked)
        dialog.unload_asked.connect(self._on_unload_asked)
        dialog.check_asked.connect(self._on_check_asked)
        dialog.move_asked.connect(self._on_move_asked)
        dialog.remove_asked.connect(self._on_remove_asked)
        dialog.forget_asked.connect(self._on_forget_asked)
        dialog.folder_added.connect(self._on_folder_added)
        dialog.downloads_chosen.connect(self._on_downloads_chosen)
        dialog.offline_chosen.connect(self._on_offline_chosen)
        dialog.token_given.connect(self._on_token_given)
        dialog.folder_opened.connect(self._on_folder_opened)
        dialog.page_opened.connect(self._on_page_opened)
        dialog.destroyed.connect(self._on_dialog_destroyed)
        self._begin(shelf.refresh(_bytes_of(self._state)))
        return dialog

    @Slot()
    def _on_dialog_destroyed(self) -> None:
        self._dialog = None

    @Slot(str, object)
    def _on_job_changed(self, key: str, job: ModelJob | None) -> None:
        """The status line tells of a download, whether the dialog is open or not."""
        jobs = self._shelf.jobs
        for hub_id, under_way in jobs.items():
            if (under_way.kind, under_way.state) == (JobKind.DOWNLOAD, JobState.RUNNING):
                progress = under_way.progress
                share = progress.done / progress.total if progress and progress.total else 0.0
                self._window.status_line.show_download(hub_id.rpartition("/")[2], share)
                break
        else:
            self._window.status_line.show_download("", 0.0)
        if job and job.error and self._dialog is None:
            self._window.show_notice(str(job.error))

    @Slot(str)
    def _on_noticed(self, text: str) -> None:
        (self._dialog or self._window).show_notice(text)

    @Slot(str, object)
    def _on_load_asked(self, key: str, precision: Precision | None) -> None:
        before = self._choice()
        dtype = before.dtype
        if precision and precision.weight_bits:
            dtype = precision
        elif dtype.weight_bits:
            dtype = Precision.AUTO
        self._begin(self._load(replace(before, model=key, dtype=dtype)))

    @Slot()
    def _on_unload_asked(self) -> None:
        if isinstance(self._state, Loading):
            self._window.loading_cancelled.emit()
        else:
            self._window.model_unloaded.emit()

    @Slot(str)
    def _on_look_up_asked(self, hub_id: str) -> None:
        self._begin(self._shelf.look_up(hub_id))

    @Slot(str)
    def _on_get_asked(self, hub_id: str) -> None:
        self._begin(self._shelf.get(hub_id))

    @Slot(str)
    def _on_cancelled(self, hub_id: str) -> None:
        self._begin(self._shelf.cancel(hub_id))

    @Slot(str)
    def _on_check_asked(self, key: str) -> None:
        self._begin(self._shelf.check(key))

    @Slot(str, Path)
    def _on_move_asked(self, key: str, parent: Path) -> None:
        self._begin(self._shelf.move(key, parent))

    @Slot(str, str)
    def _on_moved(self, before: str, folder: str) -> None:
        if self._dialog:
            self._dialog.choose(folder)

    @Slot(str)
    def _on_remove_asked(self, key: str) -> None:
        self._begin(self._shelf.remove(key))

    @Slot(str)
    def _on_forget_asked(self, key: str) -> None:
        self._begin(self._shelf.forget_folder(key))

    @Slot(Path)
    def _on_folder_added(self, folder: Path) -> None:
        self._begin(self._shelf.add_folder(folder))

    @Slot(object)
    def _on_downloads_chosen(self, folder: Path | None) -> None:
        self._begin(self._shelf.choose_downloads(folder))

    @Slot(bool)
    def _on_offline_chosen(self, is_offline: bool) -> None:
        self._begin(self._shelf.work_offline(is_offline))

    @Slot(str)
    def _on_token_given(self, token: str) -> None:
        self._begin(self._shelf.keep_token(token))

    @Slot(Path)
    def _on_folder_opened(self, folder: Path) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    @Slot(str)
    def _on_page_opened(self, hub_id: str) -> None:
        QDesktopServices.openUrl(QUrl(Hub.here().page(hub_id)))


def _bytes_of(state: ModelState | None) -> int:
    """What unloading would give back."""
    return state.facts.memory_bytes if isinstance(state, Ready) else 0
