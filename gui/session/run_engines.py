"""How a folder run uses the model: how many images at once, and on which graphics cards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import Batch, BatchOptions, Control, Doubt, usual_slots
from core.device.memory import known_cards
from core.engine import Engine, Failed, ModelState, Ready
from core.engine_group.cards import devices_for, joined_by_others
from core.model_reference import short_name
from gui.session.model_thread import ModelThread
from gui.session.sent_metadata import MetadataConsent, refusal
from gui.widgets.translated import translated


class RunEngines(QObject):
    """The loaded model, joined in a run by copies of it on the other cards.

    `load` loads the model of a reference in place of the present one. `cards_changed(tuple[Card,
    ...])`: the cards that a run with the loaded model can use. `noticed(str)`: a sentence to show.
    """

    cards_changed = Signal(object)
    noticed = Signal(str)

    def __init__(self, model: ModelThread, parent: QObject | None = None):
        super().__init__(parent)
        self._model = model
        self._slots, self._devices = 0, tuple[str, ...]()
        self.consent: MetadataConsent | None = None
        self.load: Callable[[str], Awaitable[None]] | None = None
        # Whoever loads another model while one of these is paused wants it to go on with that.
        self._of_today: set[Path] = set()
        model.state_changed.connect(self._on_model_changed)

    def choose(self, slots: int, devices: Sequence[str]) -> None:
        """Sets how many images are captioned at once, 0 for as many as suit the device, and the
        graphics cards to use, () for all that the model fits on."""
        self._slots, self._devices = slots, tuple(devices)

    def named(self, options: BatchOptions) -> BatchOptions:
        """Returns options with the reference of the model that is loaded."""
        return replace(options, model=self._model.choice.model)

    def may_ask(self, roots: Sequence[Path], *ways: BatchOptions) -> bool:
        """Returns whether what these prompts let the model know of images may go to where it runs;
        says so if not."""
        prompts = [prompt for way in ways for prompt in way.prompts]
        reason = refusal(self._model.choice.model, prompts, roots, self.consent)
        if reason:
            self.noticed.emit(reason)
        return not reason

    async def make_ready(self, batch: Batch) -> bool:
        """Loads the model that a run of another day, or of the terminal, was begun with. Returns
        whether the run can go on: if that cannot be loaded, with another one the next time."""
        model, journal = batch.options.model, batch.journal_path
        is_loaded = model in ("", self._model.choice.model)
        if is_loaded or journal in self._of_today or self.load is None:
            return True
        self._of_today.add(journal)
        await self.load(model)
        match self._model.state:
            case Ready() if self._model.choice.model == model:
                return True
            case Failed(error):
                text = self.tr("This run was begun with “{name}”, which cannot be loaded. {reason}")
                name = translated(short_name(model))
                self.noticed.emit(text.format(name=name, reason=translated(error)))
            case _:  # Loading was cancelled.
                self._of_today.discard(journal)
        return False

    def work_on(
        self,
        batch: Batch,
        control: Control,
        put: Callable[..., None],
        put_doubts: Callable[[Sequence[Doubt]], None],
    ) -> Callable[[Engine], Any]:
        """Returns what the model thread is to do for a run, which reports in several threads."""
        slots, wanted, choice = self._slots, self._devices, self._model.choice
        self._of_today.add(batch.journal_path)

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
