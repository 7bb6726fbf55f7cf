"""The line under a doubtful word, the same in answers and in the captions of a folder run."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPen

from gui.widgets.theme import Theme


def doubt_pen(theme: Theme, step: int) -> QPen:
    """Returns the pen that underlines a word: dotted for `step` 1, doubtful, solid for 2."""
    pen = QPen(theme.colour("doubt"), 2.0 if step > 1 else 1.5)
    if step == 1:
        pen.setDashPattern([1.0, 2.0])
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen
