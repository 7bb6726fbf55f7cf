"""Connects the loaded model with the window: what is loaded, and what helps where that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.engine import Capability, Failed, Loading, ModelState, Ready
from core.errors import CheckpointError, OutOfMemory
from core.settings import Settings
from core.transcript import ModelChoice, Precision
from gui.app.garbage import GarbageCollector
from gui.app.tasks import Begin
from gui.models.model_list import in_bits
from gui.picture.model_view_switch import no_model_text, own_way_text
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.widgets.notice_bar import NoticeAction, NoticeActionKind
from gui.widgets.translated import translated
from gui.window.main_window import MainWindow


class LoadingWiring(QObject):
    """Loads what is chosen in the window, and shows there what became of it."""

    def __init__(
        self,
        window: MainWindow,
        model: ModelThread,
        loaded: LoadedModel,
        settings: Settings,
        garbage: GarbageCollector,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._window, self._model, self._loaded = window, model, loaded
        self._settings, self._garbage, self._begin = settings, garbage, begin
        self._smaller: ModelChoice | None = None
        window.built_in_model_chosen.connect(self._on_built_in_model_chosen)
        window.model_folder_chosen.connect(self._on_model_folder_chosen)
        window.model_unloaded.connect(model.unload)
        window.loading_cancelled.connect(model.cancel_load)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        model.state_changed.connect(window.show_model_state)
        model.state_changed.connect(self._on_state_changed)

    @Slot()
    def _on_built_in_model_chosen(self) -> None:
        self._begin(self._loaded.load(ModelChoice()))

    @Slot(Path)
    def _on_model_folder_chosen(self, folder: Path) -> None:
        choice = replace(self._settings.model_choice, model=str(folder))
        self._begin(self._loaded.load(choice))

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if isinstance(state, Loading):
            self._garbage.pause()
        else:
            self._garbage.resume()
        if isinstance(state, Ready):
            facts = state.facts
            self._window.show_preprocessing(facts.preprocessing, own_way_text())
            self._window.show_evidence_obstacle(
                translated(facts.why_not(Capability.EVIDENCE) or "")
            )
            self._window.show_trace_obstacle(translated(facts.why_not(Capability.TRACE) or ""))
        elif not self._model.is_idle_unloaded:
            self._window.show_preprocessing(None, no_model_text())
        self._offer_help(state)

    def _offer_help(self, state: ModelState) -> None:
        """Replace the window's notice where more helps than the built-in model."""
        match state:
            case Failed(OutOfMemory(precision=str() as precision) as error):
                self._smaller = replace(self._model.choice, dtype=precision)
                text = self.tr("Load in {bits}").format(bits=in_bits(Precision(precision)))
                action = NoticeAction(NoticeActionKind.LOAD_IN_LOWER_PRECISION, text)
                self._window.show_notice(translated(error), action)
            case Failed(CheckpointError(missing_id=str() as hub_id) as error) if hub_id:
                show_models = NoticeAction(NoticeActionKind.SHOW_MODELS, self.tr("Show models"))
                self._window.show_notice(translated(error), show_models)

    @Slot(object)
    def _on_notice_action_chosen(self, kind: NoticeActionKind) -> None:
        if kind is NoticeActionKind.SHOW_MODELS:
            self._window.models_asked.emit()
        elif kind is NoticeActionKind.LOAD_IN_LOWER_PRECISION and self._smaller:
            choice, self._smaller = self._smaller, None
            self._begin(self._loaded.load(choice))
