"""One picture of a trial, and the captions that the variants gave it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from core.batch import Tried
from core.captions.wording import Span, differing_words
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import make_selectable
from gui.widgets.painting import paint_thumbnail
from gui.widgets.theme import Theme
from gui.widgets.translated import translated, translated_all

SIDE = 64
ROWS = 3


class TrialResult:
    """The widgets of one picture in a grid: thumbnail, name, notes and a caption per variant."""

    def __init__(self, theme: Theme, path: Path, variants: int):
        self.path = path
        self._theme = theme
        self._tried: Tried | None = None
        self.thumbnail = _Thumbnail(theme)
        self.name_label = ElidedLabel(path.name, Qt.TextElideMode.ElideMiddle)
        self.name_label.setProperty("class", "key")
        self.notes_label = QLabel(wordWrap=True)
        self.notes_label.setObjectName("notes_label")
        self.notes_label.setProperty("class", "key")
        self.notes_label.hide()
        self.caption_labels = [_caption_label() for _ in range(variants)]

    def add_to(self, grid: QGridLayout, row: int) -> None:
        """Takes ROWS rows of the grid, the first of them `row`."""
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(self.thumbnail, row, 0, ROWS, 1, top)
        grid.addWidget(self.name_label, row, 1, 1, 2)
        grid.addWidget(self.notes_label, row + 1, 1, 1, 2)
        for column, label in enumerate(self.caption_labels, 1):
            span = 2 if len(self.caption_labels) == 1 else 1
            grid.addWidget(label, row + 2, column, 1, span, top)

    def remove(self) -> None:
        """Deletes the widgets."""
        for part in (self.thumbnail, self.name_label, self.notes_label, *self.caption_labels):
            part.hide()
            part.deleteLater()

    def show_tried(self, tried: Tried) -> None:
        """Shows the captions so far, or why there are none."""
        self._tried = tried
        self.show_again()

    def show_again(self) -> None:
        """Shows the same captions in the colours of the present theme.

        Once both captions are complete, the words that differ are marked.
        """
        tried = self._tried
        if tried is None:
            return
        self.notes_label.setText(translated_all(tried.notes))
        self.notes_label.setVisible(bool(tried.notes))
        marks: tuple[list[Span], ...] = ([],) * len(self.caption_labels)
        if tried.is_over and len(tried.captions) == 2 and all(tried.captions):
            marks = differing_words(*tried.captions)
        for label, caption, spans in zip(self.caption_labels, tried.captions, marks, strict=True):
            label.setText(self._marked(caption, spans))
        if tried.reason and self.caption_labels:
            self.caption_labels[0].setText(self._coloured(translated(tried.reason), "danger"))

    def _marked(self, caption: str, spans: Sequence[Span]) -> str:
        background = self._theme.colour("accent_soft").name()
        ink = self._theme.colour("accent").name()
        parts, marked_to = [], 0
        for begin, end in spans:
            parts.append(_escaped(caption[marked_to:begin]))
            words = _escaped(caption[begin:end])
            parts.append(f'<span style="background-color:{background}; color:{ink}">{words}</span>')
            marked_to = end
        return "".join([*parts, _escaped(caption[marked_to:])])

    def _coloured(self, text: str, token: str) -> str:
        return f'<span style="color:{self._theme.colour(token).name()}">{_escaped(text)}</span>'


class _Thumbnail(QWidget):
    def __init__(self, theme: Theme):
        super().__init__()
        self._theme = theme
        self._pixmap: QPixmap | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_pixmap(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(SIDE, SIDE + 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_thumbnail(painter, QRect(0, 0, SIDE, SIDE), self._pixmap, self._theme)


def _caption_label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    make_selectable(label)
    label.setContentsMargins(0, 0, 0, 12)
    return label


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
