"""Try first: a few pictures of the run captioned by two variants, side by side, to choose one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.batch import PICTURES, BatchOptions, Tried
from gui.batch.trial_result import ROWS, SIDE, TrialResult
from gui.batch.trial_variant import TrialVariant
from gui.widgets.buttons import key_text
from gui.widgets.preview import PreviewMaker, thumbnail
from gui.widgets.theme import Theme

_LETTERS = "AB"


class TrialPage(QFrame):
    """Two variants of the options, each with its captions; words that differ are marked.

    `tried(list[BatchOptions], bool)`: caption a few pictures with each of these options, on other
    pictures than before if the second is true. `stopped()`: end the trial under way.
    `chosen(BatchOptions)`: use these for the run. `closed()`: back to the run.
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
        # How many variants the trial under way or the last one compares.
        self._tried_variants = 0
        self.results: dict[int, TrialResult] = {}
        self._is_trying = False
        self.variants = [TrialVariant(theme, letter) for letter in _LETTERS]
        self._build_buttons()
        self._build_results()
        self._place()
        for variant in self.variants:
            variant.use_button.clicked.connect(partial(self._on_used, variant))
        self.try_button.clicked.connect(self._on_try_clicked)
        self.other_button.clicked.connect(partial(self._try, True))
        self.back_button.clicked.connect(self.closed)
        theme.changed.connect(self._on_theme_changed)
        previews.made.connect(self._on_made)

    def begin(self, options: BatchOptions, other_prompt: str) -> None:
        """Compares `options` with another prompt, unless variant B was written here before."""
        self._base = options
        self.variants[0].show_options(options)
        if self.variants[1].is_empty:
            self.variants[1].show_options(replace(options, prompts=(other_prompt,)))
        self.set_trying(self._is_trying)
        self.variants[1].prompt_edit.setFocus()

    def show_pictures(self, pictures: Sequence[tuple[int, Path]]) -> None:
        """Shows the pictures of the trial, as (item number, file), without captions yet."""
        for result in self.results.values():
            result.remove()
        self.empty_label.setVisible(not pictures)
        self.results = {}
        for place, (number, path) in enumerate(pictures):
            result = TrialResult(self._theme, path, self._tried_variants)
            result.add_to(self.grid, ROWS * place)
            self.results[number] = result
            side = round(SIDE * max(2.0, self.devicePixelRatioF()))
            self._previews.ask(("trial", path), partial(thumbnail, path, side))

    def show_tried(self, tried: Tried) -> None:
        """Shows the captions of one picture."""
        if result := self.results.get(tried.number):
            result.show_tried(tried)

    def set_trying(self, is_trying: bool) -> None:
        """Shows whether a trial is under way."""
        self._is_trying = is_trying
        self.try_button.setText(self.tr("Stop") if is_trying else self.tr("Try"))
        self.other_button.setEnabled(not is_trying and bool(self.results))
        for variant in self.variants:
            variant.set_trying(is_trying)

    def stop(self) -> None:
        """Ends the trial under way, if there is one."""
        if self._is_trying:
            self.stopped.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc ends the trial under way, or else goes back to the run."""
        if event.key() != Qt.Key.Key_Escape or event.modifiers():
            super().keyPressEvent(event)
        elif self._is_trying:
            self.stopped.emit()
        else:
            self.closed.emit()

    # Parts

    def _build_buttons(self) -> None:
        self.try_button = QPushButton(self.tr("Try"))
        self.try_button.setObjectName("try_button")
        self.try_button.setDefault(True)
        self.try_button.setShortcut("Ctrl+Return")
        self.try_button.setToolTip(key_text("Ctrl+Return"))
        self.other_button = QPushButton(self.tr("Other images"))
        self.other_button.setToolTip(self.tr("Try on other images of the folder"))
        self.back_button = QPushButton(self.tr("Back"))
        self.back_button.setToolTip(self.tr("Back to the run. Nothing was written."))
        for button in (self.other_button, self.back_button):
            button.setAutoDefault(False)

    def _build_results(self) -> None:
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
            self.tr("Compare both prompts on {count} random images. Nothing is written.").format(
                count=PICTURES
            )
        )
        self.empty_label.setObjectName("trial_empty")
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.grid.addWidget(self.empty_label, 2 * PICTURES, 0, 1, 3)
        self.scroll_area = QScrollArea()
        self.scroll_area.setObjectName("trial_scroll")
        self.scroll_area.setAccessibleName(self.tr("Captions of the trial"))
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setWidget(page)

    def _place(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.try_button)
        buttons.addWidget(self.other_button)
        buttons.addStretch(1)
        buttons.addWidget(self.back_button)
        variants = QHBoxLayout()
        variants.setSpacing(16)
        for variant in self.variants:
            variants.addWidget(variant, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(variants)
        column.addLayout(buttons)
        column.addWidget(self.scroll_area, 1)

    @Slot()
    def _on_try_clicked(self) -> None:
        if self._is_trying:
            self.stopped.emit()
        else:
            self._try(False)

    def _try(self, on_others: bool, checked: bool = False) -> None:
        options = [each.applied_to(self._base) for each in self.variants if not each.is_empty]
        if options:
            self._tried_variants = len(options)
            self.tried.emit(options, on_others)
        else:
            self.variants[0].prompt_edit.setFocus()

    def _on_used(self, variant: TrialVariant, checked: bool = False) -> None:
        if variant.is_empty:
            variant.prompt_edit.setFocus()
            return
        self.stop()
        self.chosen.emit(variant.applied_to(self._base))

    @Slot()
    def _on_theme_changed(self) -> None:
        for result in self.results.values():
            result.show_again()

    @Slot(object, object)
    def _on_made(self, key: object, image: QImage) -> None:
        match key:
            case ("trial", Path() as path):
                for result in self.results.values():
                    if result.path == path:
                        result.thumbnail.show_pixmap(QPixmap.fromImage(image))
