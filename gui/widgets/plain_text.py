"""The text of a text field as it is."""

from __future__ import annotations

import re

from PySide6.QtWidgets import QPlainTextEdit

# Where Qt breaks lines, and the bounds of its tables.
_LINE_END = re.compile("[\u2028\u2029\ufdd0\ufdd1]")


def text_of(edit: QPlainTextEdit) -> str:
    """Returns the text of a field with the non-breaking spaces that a person wrote in it, of which
    Qt's `toPlainText` makes ordinary ones."""
    return _LINE_END.sub("\n", edit.document().toRawText())
