"""A field with the tags to choose from; a long list is only named in it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit

from core.captions.wording import tags_in

_MOST_EDITED = 500
_MOST_NAMED = 20
_LONGEST_NAMED = 1_000


class VocabularyEdit(QLineEdit):
    """`named(bool)`: other tags are shown, and whether they are only named."""

    named = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._tags: tuple[str, ...] = ()
        self._is_named = False
        self.setAccessibleName(self.tr("Only these tags"))

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags to choose from; () for any."""
        return self._tags if self._is_named else _typed(self.text())

    @property
    def is_named(self) -> bool:
        """Whether they are only named, and not edited: they are many, or not what this field would
        make of them, as tags with a comma."""
        return self._is_named

    def show_tags(self, tags: Sequence[str]) -> None:
        """Shows tags."""
        self._tags, text = tuple(tags), ", ".join(tags)
        is_whole = len(text) <= self.maxLength() and _typed(text) == self._tags
        self._is_named = len(tags) > _MOST_EDITED or not is_whole
        if self._is_named:
            first = ", ".join(tags[:_MOST_NAMED])[:_LONGEST_NAMED]
            text = self.tr("{count} tags: {tags}, …").format(count=f"{len(tags):,}", tags=first)
        self.setReadOnly(self._is_named)
        self.setText(text)
        self.setCursorPosition(0)
        self.named.emit(self._is_named)


def _typed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags_in(text)))
