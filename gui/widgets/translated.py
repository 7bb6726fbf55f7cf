"""The sentences of core's errors and notes, in the window's language."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication

from core.message import Message
from gui.widgets.text_direction import in_own_order


def translated(sentence: str | BaseException) -> str:
    """Returns the text of an error, or of a sentence of core, to show it.

    The template is translated before its fields are filled in, and fields that are sentences
    before that. Text without a template, as journals keep it, is returned as it is.
    """
    if isinstance(sentence, BaseException):
        only = sentence.args[0] if len(sentence.args) == 1 else None
        sentence = only if isinstance(only, Message) else str(sentence)
    if not isinstance(sentence, Message) or not sentence:
        return sentence
    text = QCoreApplication.translate("core", sentence.template)
    if not sentence.fields:
        return text
    fields = {
        # Sizes and names of files are read in their own order within the sentence.
        name: in_own_order(translated(value)) if isinstance(value, str) else value
        for name, value in sentence.fields.items()
    }
    try:
        return text.format(**fields)
    except (LookupError, ValueError):  # A translation with a field that there is not.
        return str(sentence)


def translated_all(sentences: Iterable[str | BaseException]) -> str:
    """Returns the sentences one after another."""
    return " ".join(translated(sentence) for sentence in sentences)
