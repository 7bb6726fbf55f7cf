"""What the answers of a run must be: short enough, or tags of a vocabulary; they are asked for
again until they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QFileDialog, QPushButton, QSpinBox

from core.batch import BatchOptions
from gui.batch.vocabulary_edit import VocabularyEdit
from gui.widgets.number_boxes import WholeNumberBox

_MOST_CHARACTERS = 10_000
_MOST_TOKENS = 32_768
_NUMBER_WIDTH, _WORDS_WIDTH = 104, 132


class AnswerChecks(QObject):
    """Fields that are placed by whoever has them. `file_chosen(Path)`: a list of tags to read; it
    is shown by `show_vocabulary`."""

    file_chosen = Signal(Path)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.characters_box = self._number("characters_box", _MOST_CHARACTERS)
        self.characters_box.setAccessibleName(self.tr("Maximum number of characters"))
        self.characters_box.setSpecialValueText(self.tr("Any"))
        self.characters_box.setToolTip(
            self.tr(
                "If the answer to the first prompt is longer, the model is asked again. It is "
                "never cut."
            )
        )
        self.tokens_box = self._number("run_tokens_box", _MOST_TOKENS)
        self.tokens_box.setAccessibleName(self.tr("Maximum number of tokens"))
        self.tokens_box.setSpecialValueText(self.tr("As in settings"))
        self.tokens_box.setFixedWidth(_WORDS_WIDTH)
        self.tokens_box.setToolTip(self.tr("The answer is cut off at this length"))
        self.vocabulary_edit = VocabularyEdit()
        self.vocabulary_edit.setObjectName("vocabulary_edit")
        self.vocabulary_edit.named.connect(self._on_named)
        self.vocabulary_edit.setPlaceholderText(self.tr("cat, dog, indoors, outdoors"))
        self.vocabulary_edit.setToolTip(
            self.tr("Other tags are left out. {vocabulary} in the prompt stands for these.")
        )
        self.file_button = QPushButton(self.tr("From file…"))
        self.file_button.setObjectName("vocabulary_button")
        self.file_button.setProperty("class", "small")
        self.file_button.setAutoDefault(False)
        self.file_button.clicked.connect(self._on_file_clicked)
        self.keywords_box = QCheckBox(self.tr("Keywords last"))
        self.keywords_box.setObjectName("keywords_box")
        self.keywords_box.setToolTip(
            self.tr("The answer to the last prompt becomes a list of keywords")
        )

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The tags to choose from; () for any."""
        return self.vocabulary_edit.tags

    @property
    def longest(self) -> int:
        """How many tokens an answer may have; 0 for as many as in the settings."""
        return self.tokens_box.value()

    def applied_to(self, options: BatchOptions) -> BatchOptions:
        """Returns `options` with what is chosen here."""
        return replace(
            options,
            most_characters=self.characters_box.value(),
            vocabulary=self.vocabulary,
            has_keywords=self.keywords_box.isChecked(),
        )

    def show_options(self, options: BatchOptions) -> None:
        """Shows what options have."""
        self.characters_box.setValue(options.most_characters)
        self.show_vocabulary(options.vocabulary)
        self.keywords_box.setChecked(options.has_keywords)

    def show_vocabulary(self, tags: Sequence[str]) -> None:
        """Shows the tags to choose from."""
        self.vocabulary_edit.show_tags(tags)

    @Slot(bool)
    def _on_named(self, is_named: bool) -> None:
        self.file_button.setText(self.tr("Remove") if is_named else self.tr("From file…"))

    def _number(self, name: str, most: int) -> QSpinBox:
        box = WholeNumberBox()
        box.setObjectName(name)
        box.setRange(0, most)
        box.setFixedWidth(_NUMBER_WIDTH)
        return box

    @Slot()
    def _on_file_clicked(self) -> None:
        if self.vocabulary_edit.is_named:
            self.show_vocabulary(())
            self.vocabulary_edit.setFocus()
            return
        window = self.file_button.window()
        kinds, every = self.tr("Lists of tags"), self.tr("All files")
        filters = f"{kinds} (*.txt *.csv *.tsv);;{every} (*)"
        dialog = QFileDialog(window, self.tr("Choose a list of tags"), "", filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self._on_file_selected)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(str)
    def _on_file_selected(self, name: str) -> None:
        self.file_chosen.emit(Path(name))
