"""One caption of a folder run, generated once more."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal, Slot

from core.batch import BatchOptions, Item, Tried, try_first
from core.engine import Engine
from gui.session.answering import samplings_for_another
from gui.session.caption_edits import CaptionEdits
from gui.session.model_thread import ModelThread
from gui.session.run_items import RunItems
from gui.session.stoppable import Stoppable
from gui.widgets.translated import translated

_NONE = -1


class CaptionAgain(Stoppable):
    """Captions one image again with the options of its run, and writes that as an edit, which can
    be undone. The caption is shown in its row while it is generated."""

    # Emitted in the model thread, received in the GUI thread.
    _received = Signal(object)

    def __init__(
        self,
        model: ModelThread,
        items: RunItems,
        edits: CaptionEdits,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._model, self._items, self._edits = model, items, edits
        self._number = _NONE
        self._received.connect(self._on_received)

    @property
    def number(self) -> int:
        """The number of the item that is being captioned; -1 for none."""
        return self._number

    async def run(self, number: int, options: BatchOptions) -> None:
        """Caption this item, with other samplings until the caption is another one, and wait for
        the end. Stopped, it leaves the caption as it is; a failure is a notice."""
        if self.is_running:
            return
        item = self._items[number]
        samplings = (options.sampling, *samplings_for_another(options.sampling))
        ways = [replace(options, sampling=sampling) for sampling in samplings]
        self._number = number
        tried, recipe = Tried(number, item.path, ("",)), ""
        try:
            with self._running() as stop:
                self._items.show_draft(number, "")
                work = partial(self._work, number=number, item=item, ways=ways, stop=stop)
                tried, recipe = await self._model.run_exclusive(work, stop.set)
                await self._keep(tried, recipe, item, is_stopped=stop.is_set())
        finally:
            self._number = _NONE
            self._items.show_again(number)
            self.running_changed.emit(False)

    def _work(
        self,
        engine: Engine,
        *,
        number: int,
        item: Item,
        ways: Sequence[BatchOptions],
        stop: threading.Event,
    ) -> tuple[Tried, str]:
        """Runs in the model thread."""
        tried, recipe = Tried(number, item.path, ("",)), ""
        for way in ways:
            [tried] = try_first(
                engine, [(number, item.path)], [way], self._received.emit, stop
            ) or [tried]
            recipe = way.recipe(engine.facts.fingerprint or engine.facts.model)
            if stop.is_set() or tried.reason or tried.captions[0] != item.caption:
                break
        return tried, recipe

    async def _keep(self, tried: Tried, recipe: str, item: Item, *, is_stopped: bool) -> None:
        [caption] = tried.captions
        if is_stopped or self._items[tried.number] != item:
            return
        if tried.reason:
            self.noticed.emit(translated(tried.reason))
        elif caption == item.caption:
            self.noticed.emit(self.tr("The model has no other caption for this image."))
        else:
            await self._edits.edit(tried.number, caption, recipe)

    @Slot(object)
    def _on_received(self, tried: Tried) -> None:
        if tried.number == self._number:
            self._items.show_draft(tried.number, tried.captions[0])
