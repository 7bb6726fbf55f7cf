"""Try first: a few pictures of the run captioned in two ways, side by side, to pick one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.batch import PICTURES, BatchOptions, Span, Tried, differing_words
from gui.batch.caption_list import paint_thumbnail
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.preview import PreviewMaker, thumbnail
from gui.widgets.theme import Theme

_SIDE = 64
_PROMPT_LINES = 2
_NUMBER_WIDTH = 88
_LETTERS = "AB"


class TrialPage(QFrame):
    """Two ways to ask, each with what it says of the pictures; the words that differ are marked.

    `tried(list[BatchOptions], bool)`: caption a few pictures in these ways; others than before
    if the second is true. `stopped()`. `chosen(BatchOptions)`: go on in this way. `closed()`.
    """

    tried = Signal(list, bool)
    stopped = Signal()
    chosen = Signal(object)
    closed = Signal()

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("trial_page")
        self._theme, self._previews = theme, previews
        self._base = BatchOptions((" ",))
        self._ways: list[BatchOptions] = []
        self._rows: dict[int, _Row] = {}
        self._is_trying = False
        self.ways = [_Way(letter) for letter in _LETTERS]
        self._build()
        for way in self.ways:
            way.use_button.clicked.connect(partial(self._on_used, way))
        self.try_button.clicked.connect(self._on_try_clicked)
        self.other_button.clicked.connect(partial(self._try, True))
        self.back_button.clicked.connect(self.closed)
        theme.changed.connect(self._on_theme_changed)
        previews.made.connect(self._on_made)

    def begin(self, options: BatchOptions, other_prompt: str) -> None:
        """Compare what is chosen with another prompt; what was written here before stays."""
        self._base = options
        self.ways[0].show(options)
        if self.ways[1].is_empty:
            self.ways[1].show(replace(options, prompts=(other_prompt,)))
        self.set_trying(self._is_trying)
        self.ways[1].prompt_edit.setFocus()

    def show_pictures(self, pictures: Sequence[tuple[int, Path]]) -> None:
        """What is looked at now: numbers in the run, and files."""
        for row in self._rows.values():
            row.remove()
        self.empty_label.setVisible(not pictures)
        self._rows = {}
        for place, (number, path) in enumerate(pictures):
            row = _Row(self._theme, path, len(self._ways))
            row.place(self.grid, 2 * place)
            self._rows[number] = row
            side = round(_SIDE * max(2.0, self.devicePixelRatioF()))
            self._previews.ask(("trial", path), partial(thumbnail, path, side))

    def show_tried(self, tried: Tried) -> None:
        if row := self._rows.get(tried.number):
            row.show_tried(tried)

    def set_trying(self, is_trying: bool) -> None:
        self._is_trying = is_trying
        self.try_button.setText("Stop" if is_trying else "Try")
        self.other_button.setEnabled(not is_trying and bool(self._rows))
        for way in self.ways:
            way.prompt_edit.setReadOnly(is_trying)
            way.temperature_box.setEnabled(not is_trying)

    def stop(self) -> None:
        if self._is_trying:
            self.stopped.emit()

    # Parts

    def _build(self) -> None:
        self.try_button = QPushButton("Try")
        self.try_button.setObjectName("try_button")
        self.try_button.setDefault(True)
        self.try_button.setShortcut("Ctrl+Return")
        self.try_button.setToolTip("Ctrl+Return")
        self.other_button = QPushButton("Other images")
        self.other_button.setToolTip("The same on other images of the folder")
        self.back_button = QPushButton("Back")
        self.back_button.setToolTip("Back to the run; nothing was written")
        for button in (self.other_button, self.back_button):
            button.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.try_button)
        buttons.addWidget(self.other_button)
        buttons.addStretch(1)
        buttons.addWidget(self.back_button)
        ways = QHBoxLayout()
        ways.setSpacing(16)
        for way in self.ways:
            ways.addWidget(way, 1)
        page = QWidget()
        page.setObjectName("trial_rows")
        self.grid = QGridLayout(page)
        self.grid.setContentsMargins(12, 12, 12, 12)
        self.grid.setHorizontalSpacing(16)
        self.grid.setVerticalSpacing(4)
        for column in (1, 2):
            self.grid.setColumnStretch(column, 1)
        self.grid.setRowStretch(2 * PICTURES, 1)
        self.empty_label = QLabel(
            f"{PICTURES} random images are captioned both ways, to compare. Nothing is written."
        )
        self.empty_label.setObjectName("trial_empty")
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.grid.addWidget(self.empty_label, 2 * PICTURES, 0, 1, 3)
        self.scroll_area = QScrollArea()
        self.scroll_area.setObjectName("trial_scroll")
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(ways)
        column.addLayout(buttons)
        column.addWidget(self.scroll_area, 1)

    @Slot()
    def _on_try_clicked(self) -> None:
        if self._is_trying:
            self.stopped.emit()
        else:
            self._try(False)

    def _try(self, is_other: bool, checked: bool = False) -> None:
        ways = [way.options(self._base) for way in self.ways if not way.is_empty]
        if ways:
            self._ways = ways
            self.tried.emit(ways, is_other)
        else:
            self.ways[0].prompt_edit.setFocus()

    def _on_used(self, way: _Way, checked: bool = False) -> None:
        if way.is_empty:
            way.prompt_edit.setFocus()
            return
        self.stop()
        self.chosen.emit(way.options(self._base))

    @Slot()
    def _on_theme_changed(self) -> None:
        for row in self._rows.values():
            row.show_again()

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("trial", Path() as path):
                for row in self._rows.values():
                    if row.path == path:
                        row.picture.show_pixmap(QPixmap.fromImage(image))


class _Way(QFrame):
    """One way to ask: its prompts, a line each, and its temperature."""

    def __init__(self, letter: str):
        super().__init__()
        self.prompt_edit = QPlainTextEdit()
        self.prompt_edit.setObjectName(f"trial_prompt_{letter.lower()}")
        self.prompt_edit.setProperty("class", "field")
        self.prompt_edit.setAccessibleName(f"Prompt {letter}")
        self.prompt_edit.setPlaceholderText("Another prompt; leave it empty to try only one")
        self.prompt_edit.setTabChangesFocus(True)
        lines = self.prompt_edit.fontMetrics().lineSpacing() * _PROMPT_LINES
        self.prompt_edit.setFixedHeight(lines + 20)
        self.temperature_box = QDoubleSpinBox()
        self.temperature_box.setRange(0.0, 2.0)
        self.temperature_box.setSingleStep(0.1)
        self.temperature_box.setAccessibleName(f"Temperature {letter}")
        # The stylesheet's padding does not reach the text of a spin box.
        self.temperature_box.lineEdit().setTextMargins(6, 0, 0, 0)
        self.temperature_box.setFixedWidth(_NUMBER_WIDTH)
        self.temperature_box.setToolTip("0: always the likeliest word; higher: more varied ones")
        label = QLabel("Temperature")
        label.setProperty("class", "key")
        label.setBuddy(self.temperature_box)
        self.use_button = QPushButton(f"Use {letter}")
        self.use_button.setObjectName(f"use_{letter.lower()}_button")
        self.use_button.setProperty("class", "small")
        self.use_button.setToolTip("Take this for the run")
        self.use_button.setAutoDefault(False)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(label)
        row.addWidget(self.temperature_box)
        row.addStretch(1)
        row.addWidget(self.use_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.prompt_edit)
        column.addLayout(row)

    @property
    def is_empty(self) -> bool:
        return not self.prompt_edit.toPlainText().strip()

    def show(self, options: BatchOptions) -> None:  # type: ignore[override]
        self.prompt_edit.setPlainText("\n".join(options.prompts))
        self.temperature_box.setValue(options.sampling.temperature)

    def options(self, base: BatchOptions) -> BatchOptions:
        lines = self.prompt_edit.toPlainText().splitlines()
        prompts = tuple(line.strip() for line in lines if line.strip())
        sampling = replace(base.sampling, temperature=self.temperature_box.value())
        return replace(base, prompts=prompts, sampling=sampling)


class _Row:
    """A picture and what each way says of it."""

    def __init__(self, theme: Theme, path: Path, ways: int):
        self.path = path
        self._theme = theme
        self._tried: Tried | None = None
        self.picture = _Thumbnail(theme)
        self.name_label = ElidedLabel(path.name, Qt.TextElideMode.ElideMiddle)
        self.name_label.setProperty("class", "key")
        self.captions = [_caption_label() for _ in range(ways)]

    def place(self, grid: QGridLayout, row: int) -> None:
        top = Qt.AlignmentFlag.AlignTop
        grid.addWidget(self.picture, row, 0, 2, 1, top)
        grid.addWidget(self.name_label, row, 1, 1, 2)
        for column, label in enumerate(self.captions, 1):
            span = 2 if len(self.captions) == 1 else 1
            grid.addWidget(label, row + 1, column, 1, span, top)

    def remove(self) -> None:
        for part in (self.picture, self.name_label, *self.captions):
            part.hide()
            part.deleteLater()

    def show_tried(self, tried: Tried) -> None:
        self._tried = tried
        self.show_again()

    def show_again(self) -> None:
        tried = self._tried
        if tried is None:
            return
        marks: tuple[list[Span], ...] = ([],) * len(self.captions)
        if tried.is_over and len(tried.captions) == 2 and all(tried.captions):
            marks = differing_words(*tried.captions)
        for label, caption, spans in zip(self.captions, tried.captions, marks, strict=True):
            label.setText(self._marked(caption, spans))
        if tried.reason and self.captions:
            self.captions[0].setText(self._coloured(tried.reason, "danger"))

    def _marked(self, caption: str, spans: Sequence[Span]) -> str:
        mark = self._theme.colour("accent_soft").name()
        ink = self._theme.colour("accent").name()
        parts, end = [], 0
        for begin, behind in spans:
            parts.append(_escaped(caption[end:begin]))
            words = _escaped(caption[begin:behind])
            parts.append(f'<span style="background-color:{mark}; color:{ink}">{words}</span>')
            end = behind
        return "".join([*parts, _escaped(caption[end:])])

    def _coloured(self, text: str, token: str) -> str:
        return f'<span style="color:{self._theme.colour(token).name()}">{_escaped(text)}</span>'


class _Thumbnail(QWidget):
    def __init__(self, theme: Theme):
        super().__init__()
        self._theme = theme
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_pixmap(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(_SIDE, _SIDE + 12)

    def paintEvent(self, event: QPaintEvent) -> None:
        with QPainter(self) as painter:
            paint_thumbnail(painter, QRect(0, 0, _SIDE, _SIDE), self._pixmap, self._theme)


def _caption_label() -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setContentsMargins(0, 0, 0, 12)
    return label


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")
