"""A line below text fields that names words which the model was not trained on."""

from __future__ import annotations

import re

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QLabel

from core.vocabulary import Vocabulary, listed

# So long after a key a word is taken for complete.
WRITTEN_MS = 600
# Characters, in which words that the model does not know are looked for: 20 ms.
MOST_LOOKED_AT = 2000
# What a folder run fills in.
_VARIABLE = re.compile(r"\{[^{}]*\}")


class UnknownWords(QLabel):
    """Says which words of a text the model may not understand; hidden if there are none.

    It looks a moment after `note_text`, when a word is complete.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("unknown_words")
        self.setProperty("class", "note")
        self.setProperty("warns", True)
        self.setWordWrap(True)
        self.setIndent(0)
        self._vocabulary: Vocabulary | None = None
        self._text = ""
        self._written = QTimer(self, singleShot=True, interval=WRITTEN_MS)
        self._written.timeout.connect(self._look)
        self.hide()

    def set_vocabulary(self, vocabulary: Vocabulary | None) -> None:
        """Sets the words that the loaded model was trained on; None if it reads any."""
        self._vocabulary = vocabulary
        self._look()

    def note_text(self, text: str) -> None:
        """Takes the text as it is now."""
        self._text = text
        self._written.start()

    @Slot()
    def _look(self) -> None:
        text = _VARIABLE.sub(" ", self._text[:MOST_LOOKED_AT])
        unknown = self._vocabulary.unknown(text) if self._vocabulary else ()
        words = self.tr("The model may not understand {words}")
        self.setText(words.format(words=listed(unknown)) if unknown else "")
        self.setVisible(bool(unknown))
