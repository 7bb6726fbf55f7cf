"""Checks the spelling of the caption in the editor, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLocale, QObject, Signal, Slot

from core.spelling import (
    OWN_WORDS,
    Span,
    Spelling,
    best_language,
    dictionary_folders,
    find_dictionaries,
    own_folder,
)
from gui.session.worker_thread import WorkerThread
from gui.widgets.translated import translated

OFF = "off"
"""The language that turns checking off; "" is that of the system."""


class SpellChecking(QObject):
    """Nothing is loaded before the first text is to be checked.

    `checked(str, list[Span])`: where this text has wrong words. `suggested(str, list[str])`: what
    may be meant by a word. `noticed(str)`. `languages` are those that there are dictionaries of, as
    soon as that is known, and `folder` is for one's own.
    """

    checked = Signal(str, object)
    suggested = Signal(str, object)
    noticed = Signal(str)

    def __init__(self, data: Path, language: str, parent: QObject | None = None):
        """`data` is the program's folder, `language` the one to check by."""
        super().__init__(parent)
        self._data, self._language = data, language
        self.languages: list[str] = []
        self.folder = own_folder(data)
        self._thread = WorkerThread("spelling", self)
        self._thread.failed.connect(self._on_failed)
        self._text = ""
        self._is_outdated = self._is_checking = False
        # Used by the thread alone: what is loaded, and of which language.
        self._spelling: Spelling | None = None
        self._loaded: str | None = None

    @property
    def is_on(self) -> bool:
        """Whether spelling is to be checked."""
        return self._language != OFF

    def use(self, language: str) -> None:
        """Check by the dictionary of another language, "" for the system's; or not, with OFF."""
        if language != self._language:
            self._language = language
            self.check(self._text)

    def look(self) -> None:
        """Find out which languages there are."""
        self._thread.ask(self._on_found, self._names)

    @Slot(str)
    def check(self, text: str) -> None:
        """Check another text; `checked` follows, unless one more comes first."""
        self._text = text
        if not self.is_on:
            self.checked.emit(text, [])
        elif self._is_checking:
            self._is_outdated = True
        else:
            self._begin()

    @Slot(str)
    def suggest(self, word: str) -> None:
        """Ask what may be meant by a word; `suggested` follows."""
        language = self._language

        def work() -> list[str]:
            spelling = self._spelling_of(language)
            return spelling.suggestions(word) if spelling else []

        self._thread.ask(lambda texts: self.suggested.emit(word, texts), work)

    @Slot(str)
    def add(self, word: str) -> None:
        """Take a word for right from now on."""
        language = self._language

        def work() -> None:
            if spelling := self._spelling_of(language):
                spelling.add(word)

        self._thread.ask(None, work)
        self.check(self._text)

    async def close(self) -> None:
        """Wait for what is being kept."""
        self._thread.renew()
        await self._thread.close()

    # Inside

    def _begin(self) -> None:
        text, language = self._text, self._language
        self._is_checking, self._is_outdated = True, False
        self._thread.ask(self._reporting(text), lambda: self._wrong(text, language))

    def _reporting(self, text: str) -> Callable[[list[Span]], None]:
        def report(spans: list[Span]) -> None:
            self._is_checking = False
            if self._is_outdated:
                self.check(self._text)
            else:
                self.checked.emit(text, spans)

        return report

    def _wrong(self, text: str, language: str) -> list[Span]:
        spelling = self._spelling_of(language) if text else None
        return spelling.wrong_spans(text) if spelling else []

    def _names(self) -> list[str]:
        return list(find_dictionaries(dictionary_folders(self._data)))

    def _spelling_of(self, language: str) -> Spelling | None:
        if language != self._loaded:
            self._loaded, self._spelling = language, None
            found = find_dictionaries(dictionary_folders(self._data))
            name = (
                language
                or best_language(QLocale.system().name(), found)
                or best_language("en_US", found)
            )
            if name in found and language != OFF:
                own = self.folder / OWN_WORDS
                self._spelling = Spelling(found[name], own)
        return self._spelling

    def _on_found(self, languages: list[str]) -> None:
        self.languages = languages

    @Slot(object)
    def _on_failed(self, error: Exception) -> None:
        self._is_checking = False
        self.noticed.emit(translated(error))
