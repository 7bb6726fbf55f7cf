"""The fields of one preset."""

from __future__ import annotations

from dataclasses import fields, replace

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.workspace import LONGEST_NAME, CaptionMode, Preset
from gui.batch.prompt_list import PromptList
from gui.batch.vocabulary_edit import VocabularyEdit
from gui.widgets.number_boxes import DecimalBox, WholeNumberBox
from gui.widgets.theme import Theme

_MOST_CHARACTERS = 10_000
_MOST_TOKENS = 32_768
_FLAGS = (
    *("strips_openings", "ends_at_sentence", "is_one_line", "drops_duplicates", "has_keywords"),
)


class PresetForm(QWidget):
    """Edits a preset. `changed()`: something else is written."""

    changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("preset_form")
        self._shown = self._as_shown = Preset("", ())
        self._is_showing = False
        self.name_edit = _edit("preset_name_edit", self.tr("Name"))
        self.name_edit.setMaxLength(LONGEST_NAME)
        self.prompt_list = PromptList(
            theme, "preset_prompt_edit", self._prompt_name, self.tr("Prompt for each image")
        )
        # A form would give it what height is left over.
        self.prompt_list.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._build_texts()
        self._build_numbers()
        self._place()
        self.prompt_list.changed.connect(self._on_changed)
        for edit in (self.name_edit, *self._texts.values(), self.vocabulary_edit):
            edit.textChanged.connect(self._on_changed)
        for box in self.flags.values():
            box.toggled.connect(self._on_changed)
        for number in (self.characters_box, self.tokens_box, self.temperature_box):
            number.valueChanged.connect(self._on_changed)

    @property
    def preset(self) -> Preset:
        """What is written. What the fields cannot hold stays as it was."""
        now = self._written()
        changed = [
            f.name
            for f in fields(Preset)
            if getattr(now, f.name) != getattr(self._as_shown, f.name)
        ]
        return replace(self._shown, **{name: getattr(now, name) for name in changed})

    def show_preset(self, preset: Preset) -> None:
        """Shows a preset, without `changed`."""
        self._is_showing = True
        self._shown = preset
        self.name_edit.setText(preset.name)
        self.prompt_list.show_prompts(preset.prompts)
        for name, edit in self._texts.items():
            edit.setText(getattr(preset, name))
        for name, box in self.flags.items():
            box.setChecked(getattr(preset, name))
        self.characters_box.setValue(preset.most_characters)
        self.tokens_box.setValue(preset.max_new_tokens or 0)
        temperature = preset.temperature
        self.temperature_box.setValue(
            self.temperature_box.minimum() if temperature is None else temperature
        )
        self.vocabulary_edit.show_tags(preset.vocabulary)
        self._as_shown = self._written()
        self._is_showing = False

    def _written(self) -> Preset:
        """Returns what the fields have."""
        temperature = self.temperature_box.value()
        tags = self.vocabulary_edit.tags
        flags = {name: box.isChecked() for name, box in self.flags.items()}
        has_tags = flags["drops_duplicates"] or bool(tags)
        return replace(
            Preset("", ()),
            name=self.name_edit.text().strip(),
            prompts=self.prompt_list.prompts,
            mode=CaptionMode.TAGS if has_tags else CaptionMode.TEXT,
            most_characters=self.characters_box.value(),
            max_new_tokens=self.tokens_box.value() or None,
            temperature=temperature if temperature >= 0 else None,
            vocabulary=tags,
            **{name: edit.text() for name, edit in self._texts.items()},
            **flags,
        )

    # Parts

    def _prompt_name(self, number: int, count: int) -> str:
        if count == 1:
            return self.tr("Prompt for each image")
        return self.tr("Prompt {number} for each image").format(number=number)

    def _build_texts(self) -> None:
        self._texts = {
            "prefix": _edit("preset_prefix_edit", self.tr("Prefix")),
            "suffix": _edit("preset_suffix_edit", self.tr("Suffix")),
            "beginning": _edit("preset_beginning_edit", self.tr("Start answer with")),
        }
        self.vocabulary_edit = VocabularyEdit()
        self.vocabulary_edit.setObjectName("preset_vocabulary_edit")
        self.remove_button = QPushButton(self.tr("Remove"))
        self.remove_button.setObjectName("preset_vocabulary_button")
        self.remove_button.setProperty("class", "small")
        self.remove_button.setAutoDefault(False)
        self.remove_button.hide()
        self.remove_button.clicked.connect(self._on_tags_removed)
        self.vocabulary_edit.named.connect(self.remove_button.setVisible)
        words = (
            self.tr("Without “The image shows”"),
            self.tr("Whole sentences"),
            self.tr("One line"),
            self.tr("Remove duplicates"),
            self.tr("The last prompt lists keywords"),
        )
        self.flags = {name: QCheckBox(text) for name, text in zip(_FLAGS, words, strict=True)}

    def _build_numbers(self) -> None:
        self.characters_box = WholeNumberBox()
        self.characters_box.setRange(0, _MOST_CHARACTERS)
        self.characters_box.setSpecialValueText(self.tr("Any length"))
        self.characters_box.setSuffix(self.tr(" characters"))
        self.characters_box.setAccessibleName(self.tr("Maximum number of characters"))
        self.tokens_box = WholeNumberBox()
        self.tokens_box.setRange(0, _MOST_TOKENS)
        self.tokens_box.setSpecialValueText(self.tr("As in settings"))
        self.tokens_box.setSuffix(self.tr(" tokens"))
        self.tokens_box.setAccessibleName(self.tr("Maximum number of tokens"))
        self.temperature_box = DecimalBox()
        self.temperature_box.setRange(-0.05, 2.0)
        self.temperature_box.setSingleStep(0.05)
        self.temperature_box.setSpecialValueText(self.tr("As in settings"))
        self.temperature_box.setAccessibleName(self.tr("Temperature"))

    def _place(self) -> None:
        prompts = QVBoxLayout()
        prompts.setSpacing(4)
        prompts.addWidget(self.prompt_list)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 8, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        form.addRow(self.tr("Name"), self.name_edit)
        form.addRow(self.tr("Prompt"), prompts)
        form.addRow(self.tr("Prefix"), self._texts["prefix"])
        form.addRow(self.tr("Suffix"), self._texts["suffix"])
        form.addRow(self.tr("Start answer with"), self._texts["beginning"])
        tags = QHBoxLayout()
        tags.setSpacing(4)
        tags.addWidget(self.vocabulary_edit, 1)
        tags.addWidget(self.remove_button)
        form.addRow(self.tr("Only these tags"), tags)
        # Below each other: beside each other, they would make a narrow window scroll sideways.
        form.addRow(self.tr("Longest answer"), self.characters_box)
        form.addRow("", self.tokens_box)
        form.addRow(self.tr("Temperature"), self.temperature_box)
        for box in self.flags.values():
            form.addRow("", box)

    def showEvent(self, event: QShowEvent) -> None:
        """Makes the numbers, which stand below each other, equally wide."""
        super().showEvent(event)
        boxes = self.characters_box, self.tokens_box, self.temperature_box
        width = max(box.sizeHint().width() for box in boxes)
        for box in boxes:
            box.setMinimumWidth(width)

    @Slot()
    def _on_tags_removed(self) -> None:
        self.vocabulary_edit.show_tags(())
        self.vocabulary_edit.setFocus()

    @Slot()
    def _on_changed(self) -> None:
        if not self._is_showing:
            self.changed.emit()


def _edit(name: str, words: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setObjectName(name)
    edit.setAccessibleName(words)
    return edit
