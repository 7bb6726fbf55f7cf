"""What is done with a folder's captions beside editing them: presets, notes, exchange with other
programs. Built and connected here, so that the program has one part of it to own."""

from __future__ import annotations

from PySide6.QtCore import QObject

from core.locations import Locations
from gui.app.again_wiring import AgainWiring
from gui.app.alt_text_wiring import AltTextWiring
from gui.app.batch_wiring import BatchWiring
from gui.app.command_wiring import CommandWiring
from gui.app.compare_wiring import CompareWiring
from gui.app.duplicates_wiring import DuplicatesWiring
from gui.app.exchange_wiring import ExchangeWiring
from gui.app.notes_wiring import NotesWiring
from gui.app.own_files import OwnFiles
from gui.app.presets_wiring import PresetsWiring
from gui.app.series_wiring import SeriesWiring
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.caption_editing import CaptionEditing
from gui.session.drafts_outside import DraftsOutside
from gui.session.duplicate_search import DuplicateSearch
from gui.session.exchange import Exchange
from gui.session.folder_run import FolderRun
from gui.session.loaded_model import LoadedModel
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import ModelThread
from gui.session.preset_store import PresetStore
from gui.session.sent_metadata import MetadataConsent
from gui.session.settings_file import SettingsFile
from gui.session.workspace import FolderWorkspace
from gui.window.main_window import MainWindow


class FolderJobs(QObject):
    """`presets` are those that are offered, `notes` fills in the variables of prompts."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        editing: CaptionEditing,
        listing: WorkspaceWiring,
        *,
        drafts: DraftsOutside,
        run: FolderRun,
        batch: BatchWiring,
        model: ModelThread,
        loaded: LoadedModel,
        library: ModelLibrary,
        settings_file: SettingsFile,
        places: Locations,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self.presets = PresetStore(places.presets, self)
        self._exchange = Exchange(workspace, places.data / "exports.sqlite", self)
        run.engines.consent = consent = MetadataConsent(settings_file.settings)
        ExchangeWiring(window, workspace, editing, self._exchange, begin, self)
        PresetsWiring(window, self.presets, workspace, batch, begin, self)
        self._own_files = OwnFiles(places, settings_file, self.presets, begin, self)
        self.notes = NotesWiring(
            *(window, listing, workspace, run),
            model=model,
            consent=consent,
            settings_file=settings_file,
            begin=begin,
            parent=self,
        )
        series = SeriesWiring(
            *(window, run, batch),
            model=model,
            loaded=loaded,
            library=library,
            presets=self.presets,
            settings=settings_file.settings,
            begin=begin,
            parent=self,
        )
        CommandWiring(window, run, series, model, self)
        self._search = DuplicateSearch(workspace, self)
        AgainWiring(window, listing, workspace, editing, batch, begin, self)
        AltTextWiring(window, workspace, editing, drafts, begin, self)
        CompareWiring(window, workspace, editing, drafts, places.runs, begin, self)
        DuplicatesWiring(window, workspace, self._search, begin, self)

    async def close(self) -> None:
        """End all work, and keep what was typed."""
        self._own_files.close()
        await self.notes.close()
        await self._search.close()
        await self._exchange.close()
