"""Connects the loaded model with the window: what is loaded, and what helps where that fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Slot

from core.engine import Absent, EngineFacts, Failed, Loading, ModelState, Ready
from core.errors import CheckpointError, OutOfMemory
from core.settings import Settings
from core.transcript import BUILT_IN, ModelChoice, Precision
from gui.app.garbage import GarbageCollector
from gui.app.tasks import Begin
from gui.models.model_list import in_bits
from gui.session.loaded_model import LoadedModel
from gui.session.model_thread import ModelThread
from gui.widgets.notice import NoticeAction, NoticeActionKind, StandsWhile
from gui.widgets.translated import translated, translated_all
from gui.window.commands import Command
from gui.window.main_window import MainWindow
from gui.window.view_state import LoadedState


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
        self._facts: EngineFacts | None = None
        bind = window.command_actions.bind
        bind(Command.BUILT_IN_MODEL, self._on_built_in_model_chosen)
        bind(Command.LAST_MODEL, self._on_last_model_chosen)
        bind(Command.UNLOAD, model.unload)
        window.dialogs.model_folder_chosen.connect(self._on_model_folder_chosen)
        window.status_line.loading_cancelled.connect(model.cancel_load)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        model.state_changed.connect(self._on_state_changed)
        loaded.remembered.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the model into the window's state."""
        state, model = self._model.state, self._model
        if isinstance(state, Ready):
            self._facts = state.facts
        # It is said of the model before it is unloaded.
        is_idle = model.is_idle_unloaded and isinstance(state, Absent)
        is_kept = isinstance(state, Ready) or is_idle
        self._window.states.update(
            model=LoadedState(
                state=state,
                facts=self._facts if is_kept else None,
                is_idle_unloaded=is_idle,
                last=self._settings.model,
            )
        )

    def _on_built_in_model_chosen(self) -> None:
        self._begin(self._loaded.load(ModelChoice()))

    def _on_last_model_chosen(self) -> None:
        self._begin(self._loaded.load(self._settings.model_choice))

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
        self.refresh()
        match state:
            case Ready(facts) if facts.notes:
                stands = StandsWhile.MODEL_LOADED
                self._window.show_notice(translated_all(facts.notes), stands=stands, about=facts)
            case Failed(error):
                stands = StandsWhile.LOAD_FAILED
                self._window.show_notice(
                    translated(error), self._remedy(error), stands=stands, about=error
                )

    def _remedy(self, error: Exception) -> NoticeAction | None:
        """Return what helps after a load that failed with this error."""
        kinds = NoticeActionKind
        match error:
            case OutOfMemory(precision=str() as precision):
                smaller = replace(self._model.choice, dtype=precision)
                text = self.tr("Load in {bits}").format(bits=in_bits(Precision(precision)))
                return NoticeAction(kinds.LOAD_IN_LOWER_PRECISION, text, smaller)
            case CheckpointError(missing_id=str() as hub_id) if hub_id:
                return NoticeAction(kinds.SHOW_MODELS, self.tr("Show models"))
        if self._model.choice.model == BUILT_IN:
            return None
        return NoticeAction(kinds.USE_BUILT_IN_MODEL, self.tr("Use built-in model"))

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.SHOW_MODELS):
                self._window.commands[Command.MODELS].trigger()
            case NoticeAction(NoticeActionKind.USE_BUILT_IN_MODEL):
                self._on_built_in_model_chosen()
            case NoticeAction(NoticeActionKind.LOAD_IN_LOWER_PRECISION, _, ModelChoice() as choice):
                self._begin(self._loaded.load(choice))
