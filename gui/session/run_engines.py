"""How a folder run uses the model: how many images at once, and on which graphics cards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, Control, Doubt, usual_slots
from core.device.memory import known_cards
from core.engine import Engine, ModelState, Ready
from core.engine_group.cards import devices_for, joined_by_others
from gui.session.model_thread import ModelThread


class RunEngines(QObject):
    """The loaded model, joined in a run by copies of it on the other cards.

    `cards_changed(tuple[Card, ...])`: the cards that a run with the loaded model can use.
    """

    cards_changed = Signal(object)

    def __init__(self, model: ModelThread, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._slots, self._devices = 0, tuple[str, ...]()
        model.state_changed.connect(self._on_model_changed)

    def choose(self, slots: int, devices: Sequence[str]) -> None:
        """Sets how many images are captioned at once, 0 for as many as suit the device, and the
        graphics cards to use, () for all that the model fits on."""
        self._slots, self._devices = slots, tuple(devices)

    def work_on(
        self,
        batch: Batch,
        control: Control,
        put: Callable[..., None],
        put_doubts: Callable[[Sequence[Doubt]], None],
    ) -> Callable[[Engine], Any]:
        """Returns what the model thread is to do for a run, which reports in several threads."""
        slots, wanted, choice = self._slots, self._devices, self._model.choice

        def work(engine: Engine) -> None:
            devices = devices_for(choice.device, wanted, len(known_cards()))
            if len(devices) == 1 and not wanted:
                devices = (engine.facts.device,)
            most = slots or usual_slots(engine.facts)
            used = devices[: max(1, batch.tally.waiting)]
            with joined_by_others(engine, choice, used, control.now) as engines:
                batch.run(engines, control, put, put, slots=most, on_doubts=put_doubts)

        return work

    @Slot(object)
    def _on_model_changed(self, state: ModelState) -> None:
        match state:
            case Ready(facts) if facts.device.startswith("cuda") and not facts.is_split:
                self.cards_changed.emit(known_cards())
            case _:
                self.cards_changed.emit(())
