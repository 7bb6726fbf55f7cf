"""Folder runs in turn: the next one begins by itself, with another model or preset."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Slot

from core.batch import (
    BatchOptions,
    Other,
    OtherKind,
    Phase,
    next_options,
    roots_of_next,
)
from core.engine import Failed, Ready
from core.hub import Entry
from core.settings import Settings
from core.transcript import BUILT_IN
from gui.app.batch_wiring import BatchWiring
from gui.app.tasks import Begin
from gui.session.folder_run import FolderRun
from gui.session.loaded_model import LoadedModel
from gui.session.model_library import ModelLibrary
from gui.session.model_thread import ModelThread
from gui.session.preset_store import PresetStore
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow


class SeriesWiring(QObject):
    """What is left of a series is in the journal of its run, so that it goes on once a run is over
    that was paused, also on another day. Where it ended between two runs, as when the program was
    killed or loading was cancelled, the rest is offered. Each run has a journal of its own, and can
    be undone."""

    def __init__(
        self,
        window: MainWindow,
        run: FolderRun,
        batch: BatchWiring,
        *,
        model: ModelThread,
        loaded: LoadedModel,
        library: ModelLibrary,
        presets: PresetStore,
        settings: Settings,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._run, self._batch = window, run, batch
        self._model, self._loaded, self._library = model, loaded, library
        self._presets, self._settings, self._begin = presets, settings, begin
        self._row = window.batch_panel.form.more.then_row
        self._row.add_asked.connect(self._on_add_asked)
        library.models_listed.connect(self._on_models_listed)
        self._is_asked = self._was_running = False
        run.engines.load = self._load
        run.phase_changed.connect(self._on_phase_changed)
        batch.series_asked.connect(self._on_series_asked)

    # What is offered

    @Slot()
    def _on_add_asked(self) -> None:
        self._is_asked = True
        self._begin(self._library.refresh())

    @Slot(list, object)
    def _on_models_listed(self, entries: list[Entry], _: object) -> None:
        if not self._is_asked:
            return
        self._is_asked = False
        here = [entry.key for entry in entries if _can_be_loaded(entry)]
        models = dict.fromkeys([BUILT_IN, *here])
        self._row.offer(list(models), [preset.name for preset in self._presets.presets.all])

    # What follows

    @Slot(object)
    def _on_phase_changed(self, phase: Phase) -> None:
        was_running, options = self._was_running, self._run.options
        turns = options.turn + len(options.then) if options else 1
        self._window.batch_panel.head.show_turn(options.turn if options else 1, turns)
        self._was_running = phase in (Phase.RUNNING, Phase.ENDING)
        if was_running:
            self._on_series_asked()

    @Slot()
    def _on_series_asked(self) -> None:
        options = self._run.options
        if self._run.phase is Phase.OVER and options is not None and options.then:
            self._begin(self._go_on(options))

    async def _go_on(self, options: BatchOptions) -> None:
        """Begin the next run that can be; the others are left out, and said to be."""
        journal = self._run.journal
        paths = roots_of_next(self._run.roots, options, self._run.items.copy())
        if not paths:
            text = self.tr("The runs that follow were left out, as no image got a new caption.")
            self._window.show_notice(text)
            return
        while options.then:
            other = Other.of(options.then[0])
            options = next_options(options)
            if other is None:
                continue
            found = await self._prepared(other, options)
            if self._run.phase is not Phase.OVER or self._run.journal != journal:
                return  # Another run was chosen meanwhile.
            if found is None:
                await self._offer_rest()
                return
            if isinstance(found, BatchOptions):
                self._batch.caption(paths, found)
                return
            text = self.tr("“{name}” was left out. {reason}")
            self._window.show_notice(text.format(name=translated(other.shown), reason=found))

    async def _offer_rest(self) -> None:
        kept = await self._run.last()
        if kept is not None and kept.journal == self._run.journal and kept.runs_left:
            self._batch.offer_series(kept, self.tr("Loading was cancelled."))

    async def _prepared(self, other: Other, options: BatchOptions) -> BatchOptions | str | None:
        """Return the options of the next run, once its model is loaded; or why it cannot be. None
        if loading was cancelled."""
        if other.kind is OtherKind.PRESET:
            return self.with_preset(other.name, options)
        await self._load(other.name)
        match self._model.state:
            case Ready() if self._model.choice.model == other.name:
                return self._batch.followed(options)
            case Failed(error):
                return translated(error)
            case _:
                return None

    async def _load(self, model: str) -> None:
        await self._loaded.load(replace(self._settings.model_choice, model=model))

    def with_preset(self, name: str, options: BatchOptions) -> BatchOptions | str:
        """Return options with what the preset of this name has; or why it cannot be used."""
        presets = self._presets.presets.all
        preset = next((one for one in presets if one.name == name), None)
        if preset is None:
            return self.tr("There is no such preset any more. Choose another one.")
        found = self._batch.with_preset(options, preset)
        if "vocabulary" in preset.asks_for and not found.vocabulary:
            return self.tr("It needs a list of tags. Enter them under “Only these tags”.")
        return found


def _can_be_loaded(entry: Entry) -> bool:
    is_here = entry.local is not None and entry.local.is_complete and not entry.local.problem
    return is_here or entry.servers is not None
