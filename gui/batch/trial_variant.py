"""One of the two variants that a trial compares: its prompts and its temperature."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
)

from core.batch import BatchOptions
from gui.batch.prompt_list import PromptList
from gui.widgets.number_boxes import DecimalBox
from gui.widgets.obstacle import show_obstacle
from gui.widgets.theme import Theme

_NUMBER_WIDTH = 88

translate = QCoreApplication.translate


class TrialVariant(QFrame):
    """Edits the prompts and the temperature of a variant called "A" or "B"."""

    def __init__(self, theme: Theme, letter: str):
        super().__init__()
        self._letter = letter
        self._is_trying, self._why_no_temperature = False, ""
        self.prompt_list = PromptList(
            theme,
            f"trial_prompt_{letter.lower()}",
            self._prompt_name,
            self.tr("Another prompt, empty to try only one"),
        )
        add = self.tr("Add prompt to {letter}").format(letter=letter)
        self.prompt_list.add_button.setAccessibleName(add)
        self.temperature_box = _temperature_box(letter)
        label = QLabel(self.tr("Temperature"))
        label.setProperty("class", "key")
        label.setBuddy(self.temperature_box)
        self.use_button = QPushButton(self.tr("Use {letter}").format(letter=letter))
        self.use_button.setObjectName(f"use_{letter.lower()}_button")
        self.use_button.setProperty("class", "small")
        self.use_button.setToolTip(self.tr("Use this prompt for the run"))
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
        column.addWidget(self.prompt_list)
        column.addLayout(row)
        column.addStretch(1)

    @property
    def is_empty(self) -> bool:
        """Whether no prompt is written."""
        return not self.prompt_list.prompts

    @property
    def prompt_edit(self) -> QPlainTextEdit:
        """The field of the first prompt."""
        return self.prompt_list.edits[0]

    def show_options(self, options: BatchOptions) -> None:
        """Shows the prompts and the temperature of `options`."""
        self.prompt_list.show_prompts(options.prompts)
        self.temperature_box.setValue(options.sampling.temperature)

    def set_trying(self, is_trying: bool) -> None:
        """Forbids changes while a trial is under way."""
        self._is_trying = is_trying
        self.prompt_list.set_read_only(is_trying)
        self.temperature_box.setEnabled(not (is_trying or self._why_no_temperature))

    def show_why_no_temperature(self, reason: str) -> None:
        """Greys out the temperature, which the model ignores for this reason; "" if it does not."""
        if reason != self._why_no_temperature:
            self._why_no_temperature = reason
            show_obstacle(self.temperature_box, reason)
            self.set_trying(self._is_trying)

    def applied_to(self, base: BatchOptions) -> BatchOptions:
        """Returns `base` with the prompts and the temperature that are written here."""
        sampling = replace(base.sampling, temperature=self.temperature_box.value())
        return replace(base, prompts=self.prompt_list.prompts, sampling=sampling)

    def _prompt_name(self, number: int, count: int) -> str:
        name = self.tr("Prompt {letter}") if count == 1 else self.tr("Prompt {letter}, {number}")
        return name.format(letter=self._letter, number=number)


def _temperature_box(letter: str) -> QDoubleSpinBox:
    box = DecimalBox()
    box.setRange(0.0, 2.0)
    box.setSingleStep(0.1)
    box.setAccessibleName(translate("TrialVariant", "Temperature {letter}").format(letter=letter))
    box.setFixedWidth(_NUMBER_WIDTH)
    box.setToolTip(
        translate("TrialVariant", "0 always takes the most likely word, higher values vary more")
    )
    return box
