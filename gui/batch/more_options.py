"""The options of a folder run that are seldom changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QLocale, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from core.batch import BatchOptions
from core.captions.formats import TEXT_FORMATS, CaptionFormat, TablePaths
from core.device.memory import Card
from core.engine import Capability
from core.workspace import CaptionSource
from gui.batch.after_run import AfterRun, AfterRunBox
from gui.batch.answer_checks import AnswerChecks
from gui.batch.card_boxes import CardBoxes
from gui.batch.form_fields import combo, field_row, key_label, named_field, placeholder_edit
from gui.batch.then_row import ThenRow
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.number_boxes import DecimalBox, WholeNumberBox
from gui.widgets.obstacle import show_obstacle

_MOST_SLOTS = 64
_NUMBER_WIDTH = 104
_EXAMPLE = Path("IMG_1.jpg")
_NAMES = ("{stem}", "{name}")


class MoreOptions(QWidget):
    """Names of caption files, wording, sampling, how many images at once, hand edits."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("rare_options")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._writes_text, self._writes_xmp = True, False
        self._avoids_none = self._continues_nothing = False
        self.checks = AnswerChecks(self)
        self._build_names()
        self._build_wording()
        self._build_tables()
        self._build_numbers()
        self._labels: dict[QWidget, QLabel] = {}
        self.after_box = AfterRunBox()
        self.then_row = ThenRow()
        self._place()
        self.show_cards(())
        self.show_after_run(())
        self.suffix_box.currentIndexChanged.connect(self._show_example)
        self.name_box.currentTextChanged.connect(self._show_example)
        self._show_example()

    @property
    def slots(self) -> int | None:
        """How many images are captioned at once; None for the number that suits the device."""
        return self.slots_box.value() or None

    @property
    def devices(self) -> tuple[str, ...]:
        """The graphics cards to use; () for all that the model fits on."""
        return self.card_boxes.devices

    def show_cards(self, cards: Sequence[Card]) -> None:
        """Offers the graphics cards to choose from, if there are several."""
        self.card_boxes.show_cards(cards)
        self.card_boxes.setVisible(self.card_boxes.has_choice)
        self._labels[self.card_boxes].setVisible(self.card_boxes.has_choice)

    def show_after_run(self, possible: Collection[AfterRun]) -> None:
        """Offers what the computer can do when a run is done, if there is anything."""
        self.after_box.offer(possible)
        self.after_box.setVisible(self.after_box.has_choice)
        self._labels[self.after_box].setVisible(self.after_box.has_choice)

    def show_missing(self, why_not: Callable[[Capability], str]) -> None:
        """Offers what the model can do; `why_not` says why it cannot do something, "" if it can."""
        self._continues_nothing = bool(why_not(Capability.BEGINNING))
        self._avoids_none = bool(why_not(Capability.AVOIDING))
        show_obstacle(self.banned_edit, why_not(Capability.AVOIDING))
        show_obstacle(self.beginning_edit, why_not(Capability.BEGINNING))
        show_obstacle(self.temperature_box, why_not(Capability.TEMPERATURE))

    @property
    def labels(self) -> tuple[QLabel, ...]:
        """The labels in front of the fields."""
        return tuple(self._labels.values())

    @property
    def wheel_fields(self) -> tuple[QWidget, ...]:
        """The fields that a turn of the wheel would change."""
        fields = (self.suffix_box, self.name_box, self.separator_box)
        tables = (self.paths_box, self.columns_box)
        numbers = (self.temperature_box, self.slots_box)
        checks = (self.checks.characters_box, self.checks.tokens_box)
        return *fields, *tables, *numbers, *checks, self.after_box

    def applied_to(self, options: BatchOptions) -> BatchOptions:
        """Returns `options` with what is chosen here; text files get the suffix chosen here."""
        suffix = CaptionFormat(self.suffix_box.currentData())  # Qt keeps a plain str.
        options = replace(
            options,
            writes=tuple(suffix if kind is CaptionFormat.TXT else kind for kind in options.writes),
            name=self.name_box.currentText().strip(),
            sampling=replace(
                options.sampling,
                temperature=self.temperature_box.value(),
                banned_words=() if self._avoids_none else _names(self.banned_edit.text()),
            ),
            beginning="" if self._continues_nothing else self.beginning_edit.text().strip(),
            strips_openings=self.strip_box.isChecked(),
            ends_at_sentence=self.sentence_box.isChecked(),
            replaces_edited=_names(self.edited_edit.text()),
            prefix=self.prefix_edit.text(),
            suffix=self.suffix_edit.text(),
            separator=self._separator,
            is_one_line=self.one_line_box.isChecked(),
            drops_duplicates=self.duplicates_box.isChecked(),
            table_paths=TablePaths(self.paths_box.currentData()),
            csv_separator=self.columns_box.currentData(),
            then=self.then_row.then,
        )
        return self.checks.applied_to(options)

    def show_options(self, options: BatchOptions) -> None:
        """Shows the options of a run that is opened again, or of a variant that was tried."""
        if options.text_formats:
            self.suffix_box.setCurrentIndex(self.suffix_box.findData(options.text_formats[0]))
        self.name_box.setCurrentText(options.name)
        self.beginning_edit.setText(options.beginning)
        self.prefix_edit.setText(options.prefix)
        self.suffix_edit.setText(options.suffix)
        index = self.separator_box.findData(options.separator)
        if index >= 0:
            self.separator_box.setCurrentIndex(index)
        else:
            self.separator_box.setCurrentText(options.separator)
        self.one_line_box.setChecked(options.is_one_line)
        self.duplicates_box.setChecked(options.drops_duplicates)
        self.paths_box.setCurrentIndex(self.paths_box.findData(options.table_paths))
        self.columns_box.setCurrentIndex(self.columns_box.findData(options.csv_separator))
        self.strip_box.setChecked(options.strips_openings)
        self.sentence_box.setChecked(options.ends_at_sentence)
        self.banned_edit.setText(", ".join(options.sampling.banned_words))
        self.edited_edit.setText(", ".join(options.replaces_edited))
        self.checks.show_options(options)
        self.then_row.show_then(options.then)

    def show_source(self, source: CaptionSource) -> None:
        """Names caption files as those of a folder are named, unless they are in a table."""
        if not source.table:
            self.name_box.setCurrentText(source.pattern)
        if not source.table and source.format in TEXT_FORMATS:
            self.suffix_box.setCurrentIndex(self.suffix_box.findData(source.format))

    def show_written(self, *, text: bool, xmp: bool) -> None:
        """Enables the names of caption files if text or XMP files are written."""
        self._writes_text, self._writes_xmp = text, xmp
        self._show_example()

    def show_adds(self, adds: bool) -> None:
        """Offers what stands between captions, if captions are added to others."""
        self.separator_box.setVisible(adds)
        self._labels[self.separator_box].setVisible(adds)

    def show_tables(self, has_tables: bool, has_csv: bool) -> None:
        """Offers how tables are written, if there are any; the separator if one of them is CSV."""
        self.paths_box.setVisible(has_tables)
        self._labels[self.paths_box].setVisible(has_tables)
        self.columns_box.setVisible(has_csv)

    @property
    def _separator(self) -> str:
        """What is chosen, or what is written instead."""
        text = self.separator_box.currentText()
        index = self.separator_box.findText(text)
        return text if index < 0 else self.separator_box.itemData(index)

    def show_replaces(self, replaces: bool) -> None:
        """Offers to replace captions edited by hand, if captions are replaced at all."""
        self.edited_edit.setVisible(replaces)
        self._labels[self.edited_edit].setVisible(replaces)

    def _build_names(self) -> None:
        self.suffix_box = combo("suffix_box", self.tr("Extension of text files"))
        self.suffix_box.setMinimumContentsLength(8)
        for suffix in TEXT_FORMATS:
            self.suffix_box.addItem(f".{suffix}", suffix)
        self.name_box = combo("name_box", self.tr("Names of caption files"))
        self.name_box.setMinimumContentsLength(12)
        self.name_box.setEditable(True)
        self.name_box.addItems(_NAMES)
        self.name_box.setToolTip(
            self.tr(
                "{stem} is the image's name without its extension. {name} is the full name, as "
                "darktable and digiKam name XMP files. You can add text around it."
            )
        )
        self.example_label = ElidedLabel()
        self.example_label.setProperty("class", "key")

    def _build_wording(self) -> None:
        self.beginning_edit = placeholder_edit("beginning_edit", self.tr("A photograph of"))
        self.banned_edit = placeholder_edit("banned_edit", self.tr("watermark, stock photo"))
        self.banned_edit.setToolTip(
            self.tr("Captions contain none of these words, in upper or lower case")
        )
        self.beginning_edit.setToolTip(self.tr("The model continues this text"))
        self.prefix_edit = placeholder_edit("prefix_edit", self.tr("photo of ohwx."))
        self.prefix_edit.setToolTip(self.tr("Added before each caption, not shown to the model"))
        self.suffix_edit = placeholder_edit("suffix_edit", self.tr(", high quality"))
        self.suffix_edit.setToolTip(self.tr("Added after each caption, not shown to the model"))
        self.separator_box = combo("separator_box", self.tr("Separator"))
        self.separator_box.setMinimumContentsLength(12)
        self.separator_box.setEditable(True)
        self.separator_box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        separators = (
            (self.tr("Line break"), "\n"),
            (self.tr("Comma"), ", "),
            (self.tr("Space"), " "),
            (self.tr("None"), ""),
        )
        for words, separator in separators:
            self.separator_box.addItem(words, separator)
        self.separator_box.setToolTip(
            self.tr("Between the existing caption and the new one. Choose, or type your own.")
        )
        self.one_line_box = QCheckBox(self.tr("One line"))
        self.one_line_box.setObjectName("one_line_box")
        self.one_line_box.setToolTip(self.tr("Replaces line breaks with spaces"))
        self.duplicates_box = QCheckBox(self.tr("Remove duplicates"))
        self.duplicates_box.setObjectName("duplicates_box")
        self.duplicates_box.setToolTip(self.tr("Keeps each tag of a comma-separated list once"))
        self.strip_box = QCheckBox(self.tr("Without “The image shows”"))
        self.strip_box.setObjectName("strip_box")
        self.strip_box.setToolTip(self.tr("Removes stock openings"))
        self.sentence_box = QCheckBox(self.tr("Whole sentences"))
        self.sentence_box.setObjectName("sentence_box")
        self.sentence_box.setToolTip(
            self.tr("Ends at the last whole sentence when the maximum length is reached")
        )
        self.edited_edit = placeholder_edit("edited_edit", "IMG_1.jpg, IMG_2.jpg")
        self.edited_edit.setToolTip(
            self.tr("Hand-edited captions are kept, except those of the images named here")
        )

    def _build_tables(self) -> None:
        self.paths_box = combo("table_paths_box", self.tr("Paths of images in tables"))
        self.paths_box.setMinimumContentsLength(14)
        table_paths = (
            (self.tr("Absolute paths"), TablePaths.ABSOLUTE),
            (self.tr("Relative paths"), TablePaths.RELATIVE),
        )
        for words, paths in table_paths:
            self.paths_box.addItem(words, paths)
        self.paths_box.setToolTip(self.tr("Relative paths start at the table's folder"))
        self.columns_box = combo("columns_box", self.tr("Column separator of CSV tables"))
        self.columns_box.setMinimumContentsLength(10)
        column_separators = (
            (self.tr("Commas"), ","),
            (self.tr("Semicolons"), ";"),
            (self.tr("Tabs"), "\t"),
        )
        for words, separator in column_separators:
            self.columns_box.addItem(words, separator)
        self.columns_box.setToolTip(
            self.tr("Spreadsheets expect semicolons where the decimal sign is a comma")
        )
        wants_semicolons = QLocale.system().decimalPoint() == ","
        self.columns_box.setCurrentIndex(
            self.columns_box.findData(";" if wants_semicolons else ",")
        )

    def _build_numbers(self) -> None:
        self.temperature_box = DecimalBox()
        self.temperature_box.setObjectName("run_temperature_box")
        self.temperature_box.setRange(0.0, 2.0)
        self.temperature_box.setSingleStep(0.1)
        self.temperature_box.setDecimals(2)
        self.temperature_box.setToolTip(
            self.tr("0 always takes the most likely word, higher values vary more")
        )
        self.slots_box = WholeNumberBox()
        self.slots_box.setObjectName("slots_box")
        self.slots_box.setRange(0, _MOST_SLOTS)
        self.slots_box.setSpecialValueText(self.tr("Automatic"))
        self.slots_box.setToolTip(
            self.tr("Number of images captioned at the same time, on each graphics card")
        )
        self.card_boxes = CardBoxes()
        self.card_boxes.setToolTip(self.tr("Each has a copy of the model and captions its share"))
        for box in (self.temperature_box, self.slots_box):
            box.setFixedWidth(_NUMBER_WIDTH)

    def _place(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        checks = self.checks
        rows = (
            (self.tr("File names"), (self.name_box, self.suffix_box, self.example_label)),
            (
                self.tr("Prefix"),
                (self.prefix_edit, named_field(self.tr("Suffix"), self.suffix_edit)),
            ),
            (
                self.tr("Start answer with"),
                (self.beginning_edit, named_field(self.tr("Words to avoid"), self.banned_edit)),
            ),
            (self.tr("Wording"), (self.strip_box, self.sentence_box)),
            (self.tr("Tags"), (self.duplicates_box, self.one_line_box, checks.keywords_box)),
            (self.tr("Only these tags"), (checks.vocabulary_edit, checks.file_button)),
            (
                self.tr("Longest answer"),
                (
                    named_field(self.tr("Characters"), checks.characters_box, left=0),
                    named_field(self.tr("Tokens"), checks.tokens_box),
                ),
            ),
            (self.tr("Separator"), (self.separator_box,)),
            (self.tr("Tables"), (self.paths_box, self.columns_box)),
            (
                self.tr("Temperature"),
                (self.temperature_box, named_field(self.tr("Parallel"), self.slots_box)),
            ),
            (self.tr("Graphics cards"), (self.card_boxes,)),
            (self.tr("Overwrite edits of"), (self.edited_edit,)),
            (self.tr("Then also with"), (self.then_row,)),
            (self.tr("When finished"), (self.after_box,)),
        )
        for number, (words, fields) in enumerate(rows):
            buddy = fields[0]
            label = self._labels[buddy] = key_label(words)
            label.setBuddy(buddy)
            if not (buddy.accessibleName() or isinstance(buddy, QCheckBox)):
                buddy.setAccessibleName(words)
            grid.addWidget(label, number, 0)
            if len(fields) == 1:
                grid.addWidget(buddy, number, 1)
            else:
                grid.addLayout(field_row(*fields), number, 1)

    @Slot()
    def _show_example(self) -> None:
        """Shows what the caption files of an image would be called."""
        self.suffix_box.setEnabled(self._writes_text)
        self.name_box.setEnabled(self._writes_text or self._writes_xmp)
        name = self.name_box.currentText().strip()
        name = name.replace("{stem}", _EXAMPLE.stem).replace("{name}", _EXAMPLE.name)
        suffixes = [str(self.suffix_box.currentData())] if self._writes_text else []
        suffixes += [CaptionFormat.XMP] if self._writes_xmp else []
        words = ", ".join(f"{name}.{suffix}" for suffix in suffixes)
        self.example_label.setText(f"→ {words}" if words else "")


def _names(text: str) -> tuple[str, ...]:
    """The comma-separated names in `text`."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
