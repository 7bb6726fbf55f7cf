"""Counts the tokens of the caption in the editor, in another thread while one types."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from PySide6.QtCore import QObject, Signal, Slot

from core.clip_tokens import count_clip_tokens
from gui.workspace.caption_counter import TokenCounts

CountTokens = Callable[[str], int]

log = logging.getLogger(__name__)


class CaptionTokens(QObject):
    """`counted(str, TokenCounts)`: this caption has so many tokens."""

    counted = Signal(str, object)

    def __init__(
        self, begin: Callable[[Coroutine[None, None, None]], None], parent: QObject | None = None
    ):
        """`begin` starts a coroutine that nobody awaits."""
        super().__init__(parent)
        self._begin = begin
        self._text = ""
        self._count_tokens: CountTokens | None = None
        self._is_counting = self._is_outdated = False

    def use(self, count_tokens: CountTokens | None) -> None:
        """Count by another model from now on; None for none."""
        if count_tokens is not self._count_tokens:
            self._count_tokens = count_tokens
            self.count(self._text)

    @Slot(str)
    def count(self, text: str) -> None:
        """Ask for the tokens of a caption; `counted` follows, unless another one comes first."""
        self._text = text
        self._is_outdated = True
        if not self._is_counting:
            self._is_counting = True
            self._begin(self._count_on())

    async def _count_on(self) -> None:
        try:
            while self._is_outdated:
                self._is_outdated = False
                text, count_tokens = self._text, self._count_tokens
                counts = await asyncio.to_thread(_counted, text, count_tokens)
                if not self._is_outdated:
                    self.counted.emit(text, counts)
        finally:
            self._is_counting = False


def _counted(text: str, count_tokens: CountTokens | None) -> TokenCounts:
    model = None
    if count_tokens is not None:
        try:
            model = count_tokens(text)
        except Exception:  # A model's tokenizer raises what it likes, and a caption can do without.
            log.exception("The model's tokenizer failed")
    return TokenCounts(count_clip_tokens(text), model)
