"""Connects the model library with its dialog and the window, and opens the dialog."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices

from core.engine import Failed, Loading, ModelState, Ready
from core.errors import CheckpointError
from core.hub import Hub, JobKind, JobState, ModelJob
from core.model_reference import short_name
from core.settings import Settings
from core.transcript import Precision
from gui.app.engines_wiring import EnginesWiring
from gui.app.open_dialog import OpenDialog
from gui.app.servers_wiring import ServersWiring
from gui.app.tasks import Begin
from gui.models.dialog import ModelsDialog
from gui.session.loaded_model import LoadedModel
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import ModelThread
from gui.widgets.file_urls import url_of
from gui.widgets.theme import Theme
from gui.widgets.translated import translated
from gui.window.commands import Command
from gui.window.main_window import MainWindow


class ModelsWiring(QObject):
    """What is done in the dialog goes to the library, and what it reports is shown there."""

    def __init__(
        self,
        window: MainWindow,
        library: ModelLibrary,
        model: ModelThread,
        loaded: LoadedModel,
        settings: Settings,
        theme: Theme,
        begin: Begin,
        parent: QObject | None = None,
        *,
        engines: EnginesWiring,
        servers: ServersWiring,
    ):
        super().__init__(parent)
        self._window, self._library, self._theme = window, library, theme
        self._model, self._loaded = model, loaded
        self._settings, self._engines, self._begin = settings, engines, begin
        self._servers = servers
        self._state: ModelState | None = None
        self._dialog = OpenDialog[ModelsDialog]()
        library.jobs.changed.connect(self._on_job_changed)
        library.moved.connect(self._on_moved)
        loaded.remembered.connect(self._on_remembered)
        library.noticed.connect(self._on_noticed)
        model.state_changed.connect(self._on_state_changed)
        window.command_actions.bind(Command.MODELS, self.open)

    def open(self) -> None:
        """Show the dialog, or bring it forward."""
        dialog = self._dialog.in_sight
        if dialog is None:
            dialog = self._make_dialog()
            self._dialog.keep(dialog)
        match self._state:
            case Failed(CheckpointError(missing_id=str() as hub_id)) if hub_id:
                dialog.want(hub_id)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()

    @Slot()
    def _on_remembered(self) -> None:
        """Show a server that is used for the first time in the list."""
        if self._dialog.now:
            self._begin(self._library.refresh())

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        was_ready = isinstance(self._state, Ready)
        is_other = type(state) is not type(self._state)
        self._state = state
        dialog = self._dialog.now
        if dialog is None:
            return
        dialog.show_model_state(state, self._model.choice.model)
        if is_other and (was_ready or isinstance(state, Ready)):
            self._begin(self._library.refresh(_bytes_of(state)))

    def _make_dialog(self) -> ModelsDialog:
        dialog, library = ModelsDialog(self._theme, self._window), self._library
        if self._state is not None:
            dialog.show_model_state(self._state, self._model.choice.model)
        dialog.show_jobs(library.jobs.all)
        self._engines.connect_line(dialog.engine_line)
        library.models_listed.connect(dialog.show_entries)
        library.jobs.changed.connect(dialog.show_job)
        library.options_changed.connect(dialog.show_options)
        requests = dialog.requests
        requests.look_up_asked.connect(self._on_look_up_asked)
        requests.get_asked.connect(self._on_get_asked)
        requests.paused.connect(library.jobs.stop)
        requests.cancelled.connect(self._on_cancelled)
        requests.load_asked.connect(self._on_load_asked)
        requests.unload_asked.connect(self._on_unload_asked)
        requests.check_asked.connect(self._on_check_asked)
        requests.move_asked.connect(self._on_move_asked)
        requests.remove_asked.connect(self._on_remove_asked)
        requests.forget_asked.connect(self._on_forget_asked)
        requests.folder_added.connect(self._on_folder_added)
        requests.downloads_chosen.connect(self._on_downloads_chosen)
        requests.offline_chosen.connect(self._on_offline_chosen)
        requests.token_given.connect(self._on_token_given)
        requests.server_asked.connect(self._on_server_asked)
        requests.folder_opened.connect(self._on_folder_opened)
        requests.page_opened.connect(self._on_page_opened)
        self._begin(library.refresh(_bytes_of(self._state)))
        return dialog

    @Slot(str, object)
    def _on_job_changed(self, key: str, job: ModelJob | None) -> None:
        """Show a download in the status line, whether the dialog is open or not."""
        jobs = self._library.jobs.all
        for hub_id, under_way in jobs.items():
            if (under_way.kind, under_way.state) == (JobKind.DOWNLOAD, JobState.RUNNING):
                progress = under_way.progress
                share = progress.done / progress.total if progress and progress.total else 0.0
                self._window.status_line.show_download(short_name(hub_id), share)
                break
        else:
            self._window.status_line.show_download("", 0.0)
        if job and job.error and self._dialog.in_sight is None:
            self._window.show_notice(translated(job.error))

    @Slot(str)
    def _on_noticed(self, text: str) -> None:
        (self._dialog.in_sight or self._window).show_notice(text)

    @Slot(str, str)
    def _on_load_asked(self, key: str, precision: str) -> None:
        before = self._settings.model_choice
        dtype = before.dtype
        # Qt's signals carry an enum of strings as a plain string.
        chosen = Precision(precision) if precision else None
        if chosen and chosen.weight_bits:
            dtype = chosen
        elif dtype.weight_bits:
            dtype = Precision.AUTO
        self._begin(self._loaded.load(replace(before, model=key, dtype=dtype)))

    @Slot()
    def _on_unload_asked(self) -> None:
        if isinstance(self._state, Loading):
            self._model.cancel_load()
        else:
            self._model.unload()

    @Slot(str)
    def _on_look_up_asked(self, hub_id: str) -> None:
        self._begin(self._library.look_up(hub_id))

    @Slot(str)
    def _on_get_asked(self, hub_id: str) -> None:
        self._begin(self._library.get(hub_id))

    @Slot(str)
    def _on_cancelled(self, hub_id: str) -> None:
        self._begin(self._library.cancel(hub_id))

    @Slot(str)
    def _on_check_asked(self, key: str) -> None:
        self._begin(self._library.check(key))

    @Slot(str, Path)
    def _on_move_asked(self, key: str, parent: Path) -> None:
        self._begin(self._library.move(key, parent))

    @Slot(str, str)
    def _on_moved(self, before: str, folder: str) -> None:
        if dialog := self._dialog.now:
            dialog.choose(folder)

    @Slot(str)
    def _on_remove_asked(self, key: str) -> None:
        self._begin(self._library.remove(key))

    @Slot(str)
    def _on_forget_asked(self, key: str) -> None:
        self._begin(self._library.remove_folder(key))

    @Slot(Path)
    def _on_folder_added(self, folder: Path) -> None:
        self._begin(self._library.add_folder(folder))

    @Slot(object)
    def _on_downloads_chosen(self, folder: Path | None) -> None:
        self._begin(self._library.choose_downloads(folder))

    @Slot(bool)
    def _on_offline_chosen(self, is_offline: bool) -> None:
        self._model.work_offline(is_offline)
        self._begin(self._library.work_offline(is_offline))

    @Slot(str)
    def _on_token_given(self, token: str) -> None:
        self._begin(self._library.keep_token(token))

    @Slot()
    def _on_server_asked(self) -> None:
        if dialog := self._dialog.now:
            self._servers.open(dialog)

    @Slot(Path)
    def _on_folder_opened(self, folder: Path) -> None:
        QDesktopServices.openUrl(url_of(folder))

    @Slot(str)
    def _on_page_opened(self, hub_id: str) -> None:
        QDesktopServices.openUrl(QUrl(Hub.here().page(hub_id)))


def _bytes_of(state: ModelState | None) -> int:
    """Return how much memory unloading would free."""
    return state.facts.memory_bytes if isinstance(state, Ready) else 0
