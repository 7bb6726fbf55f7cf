"""Loads the chosen model, and remembers the choice and the model's name."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Signal, Slot

from core.engine import ModelState, Ready
from core.errors import AppError, Cancelled
from core.transcript import ModelChoice
from gui.session.model_thread import ModelThread
from gui.session.settings_file import SettingsFile

log = logging.getLogger(__name__)


class LoadedModel(QObject):
    """The model that the program works with. Its state is that of the model thread.

    `remembered()`: the program will start with another model the next time.
    """

    remembered = Signal()

    def __init__(
        self, model: ModelThread, settings_file: SettingsFile, parent: QObject | None = None
    ):
        """Connect before the window does, so that `name` is up to date in its slots."""
        super().__init__(parent)
        self._model = model
        self._settings_file = settings_file
        self._name = model.state.facts.model if isinstance(model.state, Ready) else ""
        model.state_changed.connect(self._on_state_changed)

    @property
    def name(self) -> str:
        """Folder or hub id of the model that was ready last, loaded or not; "" before the first."""
        return self._name

    async def load(self, choice: ModelChoice) -> None:
        """Load a model in place of the present one, and start with it the next time.

        Raises nothing expected: a failure is a state of the model thread.
        """
        try:
            await self._model.load(choice)
        except Cancelled:
            pass
        except AppError as error:
            # The model's state carries the sentence to the window.
            log.warning("The model is not loaded", exc_info=error)
        else:
            self._settings_file.settings.model_choice = choice
            self.remembered.emit()
            await self._settings_file.save()

    @Slot(object)
    def _on_state_changed(self, state: ModelState) -> None:
        if isinstance(state, Ready):
            self._name = state.facts.model
