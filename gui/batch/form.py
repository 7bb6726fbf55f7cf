"""The options of a folder run: what to ask and what to write."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from core.batch import BatchOptions
from core.captions.formats import TABLE_FORMATS, TEXT_FORMATS, CaptionFormat
from core.captions.sidecar import Existing
from core.captions.variables import variables_in
from core.transcript import Sampling
from core.workspace import CaptionSource, Preset
from gui.batch.form_fields import combo, field_row, key_label
from gui.batch.more_options import MoreOptions
from gui.batch.preset_options import as_preset, with_preset
from gui.batch.prompt_list import PromptList
from gui.batch.source_line import SourceLine
from gui.conversation.unknown_words import UnknownWords
from gui.widgets.theme import Theme

_EXISTING_WIDTH = 340
_NAMES_MS = 300


class BatchForm(QScrollArea):
    """Shows the usual options, and has the seldom changed ones, `more`, which stand elsewhere.

    `recursion_changed(bool)`: whether images in subfolders are to be taken too. `names_changed()`:
    caption files of other names or formats are to be written.
    """

    recursion_changed = Signal(bool)
    names_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_form")
        self.setAccessibleName(self.tr("Options of the run"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._notes: tuple[str, tuple[tuple[str, str], ...]] = ("", ())
        self._sampling = self._usual_sampling = Sampling()
        self._build_prompts(theme)
        self._build_choices()
        self.more = MoreOptions()
        self.source_line = SourceLine()
        self._source = CaptionSource()
        self._place()
        self.recursive_box.toggled.connect(self.recursion_changed)
        for beside in (CaptionFormat.TXT, CaptionFormat.XMP):
            self.write_boxes[beside].toggled.connect(self._on_written_changed)
        self._names_timer = QTimer(self, interval=_NAMES_MS, singleShot=True)
        self._names_timer.timeout.connect(self.names_changed)
        self.existing_box.currentIndexChanged.connect(self._on_existing_changed)
        self._on_existing_changed()
        self._on_written_changed()
        self.more.name_box.currentTextChanged.connect(self._names_timer.start)
        self.more.suffix_box.currentIndexChanged.connect(self._names_timer.start)
        for kind in TABLE_FORMATS:
            self.write_boxes[kind].toggled.connect(self._on_tables_changed)
        self._on_tables_changed()
        self._connect_source()
        for field in (self.existing_box, *self.more.wheel_fields):
            field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            field.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Lets the wheel scroll the form instead of changing the field under the pointer, and takes
        as much height as the page needs now."""
        if watched is self._page and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        is_wheel = event.type() == QEvent.Type.Wheel
        if is_wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    @property
    def slots(self) -> int | None:
        """How many images are captioned at once; None for the number that suits the device."""
        return self.more.slots

    @property
    def options(self) -> BatchOptions:
        """The chosen options. Raises ValueError with a sentence if they make no run."""
        options = self.unchecked_options.checked()
        if "vocabulary" in variables_in(" ".join(options.prompts)) and not options.vocabulary:
            raise ValueError(
                self.tr("The prompt needs a list of tags. Enter them under “Only these tags”.")
            )
        return options

    @property
    def unchecked_options(self) -> BatchOptions:
        """The chosen options, whether they make a run or not."""
        options = BatchOptions(
            prompts=self.prompt_list.prompts,
            writes=tuple(kind for kind, box in self.write_boxes.items() if box.isChecked()),
            existing=Existing(self.existing_box.currentData()),  # Qt keeps a plain str.
            is_recursive=self.recursive_box.isChecked(),
            sampling=self._sampling,
        )
        note, image_notes = self._notes
        return replace(
            self.more.applied_to(options),
            note=note,
            image_notes=image_notes,
            tables=self.source_line.tables,
        )

    def show_source(self, source: CaptionSource, tables: tuple[str, ...] = ()) -> None:
        """Lets captions go where those of the folder are, in these `tables` if there are any, until
        something else is chosen."""
        self._source = source
        self.source_line.show_source(source, tables)
        self._take_source()

    def show_notes(self, folder: str, images: tuple[tuple[str, str], ...]) -> None:
        """Sets what a person noted about the folder and its images, for the prompts."""
        self._notes = folder, images

    def show_prompt(self, prompt: str) -> None:
        """Sets what to ask, if nothing is written there."""
        if not self.prompt_list.prompts:
            self.prompt_list.show_prompts([prompt])

    def show_sampling(self, sampling: Sampling) -> None:
        """Sets how words are sampled; the temperature can be changed for the run."""
        self._usual_sampling = sampling
        self._show_sampling(sampling)

    def _show_sampling(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self.more.temperature_box.setValue(sampling.temperature)

    def usual(self, sampling: Sampling) -> Sampling:
        """Returns how words are sampled by the settings, with the longest answer chosen here."""
        longest = self.more.checks.longest or sampling.max_new_tokens
        return replace(sampling, max_new_tokens=longest)

    def show_preset(self, preset: Preset) -> QWidget | None:
        """Sets what a preset has; returns the field that the person has to fill in, if any."""
        self.show_options(with_preset(self.unchecked_options, preset, self._usual_sampling))
        self.more.checks.tokens_box.setValue(preset.max_new_tokens or 0)
        fields = {
            "prefix": self.more.prefix_edit,
            "vocabulary": self.more.checks.vocabulary_edit,
        }
        asked = (fields[name] for name in preset.asks_for if name in fields)
        return next((field for field in asked if not field.text().strip()), None)

    def as_preset(self, name: str) -> Preset:
        """Returns what is chosen as a preset."""
        longest = self.more.checks.longest
        return as_preset(name, self.unchecked_options, self._usual_sampling, longest)

    def show_options(self, options: BatchOptions) -> None:
        """Shows the options of a run that is opened again, or of a variant that was tried."""
        self.prompt_list.show_prompts(options.prompts)
        for kind, box in self.write_boxes.items():
            is_text = kind is CaptionFormat.TXT and bool(options.text_formats)
            box.setChecked(kind in options.writes or is_text)
        self.existing_box.setCurrentIndex(self.existing_box.findData(options.existing))
        self.source_line.show_options(options)
        self.more.show_options(options)
        self._show_sampling(options.sampling)
        # Without `recursion_changed`, which would look for images again.
        self.recursive_box.blockSignals(True)
        self.recursive_box.setChecked(options.is_recursive)
        self.recursive_box.blockSignals(False)

    @property
    def prompt_edit(self) -> QPlainTextEdit:
        """The field of the first prompt."""
        return self.prompt_list.edits[0]

    def sizeHint(self) -> QSize:
        return self._page.sizeHint().grownBy(self.contentsMargins())

    def minimumSizeHint(self) -> QSize:
        """Returns what the page needs: where that does not fit, the run's whole page scrolls."""
        return self._page.minimumSizeHint().grownBy(self.contentsMargins())

    # Parts

    def _build_prompts(self, theme: Theme) -> None:
        placeholder = self.tr(
            "Prompt for each image. Type { for the file name, date, place and more."
        )
        self.prompt_list = PromptList(theme, "batch_prompt_edit", self._prompt_name, placeholder)
        self.prompt_list.set_tip(
            self.tr(
                "{name}, {stem}, {folder}, {index}, {caption} (the existing one) and {exif:Model} "
                "are filled in"
            )
        )
        self.unknown_words = UnknownWords()
        self.prompt_list.field_added.connect(self._on_field_added)
        self.prompt_list.changed.connect(self._on_prompts_changed)

    def _prompt_name(self, number: int, count: int) -> str:
        if count == 1:
            return self.tr("Prompt for each image")
        return self.tr("Prompt {number} for each image").format(number=number)

    def _build_choices(self) -> None:
        self.write_boxes: dict[CaptionFormat, QCheckBox] = {}
        for kind, words, explanation in self._formats():
            box = QCheckBox(words)
            box.setObjectName(f"write_{kind}")
            box.setToolTip(explanation)
            self.write_boxes[kind] = box
        self.write_boxes[CaptionFormat.TXT].setChecked(True)
        self.existing_box = combo("existing_box", self.tr("Existing captions"))
        for existing, words in self._ways_with_existing():
            self.existing_box.addItem(words, existing)
        self.existing_box.setMinimumContentsLength(20)
        self.existing_box.setMaximumWidth(_EXISTING_WIDTH)
        self.existing_box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.recursive_box = QCheckBox(self.tr("Include subfolders"))
        self.recursive_box.setObjectName("recursive_box")

    def _formats(self) -> tuple[tuple[CaptionFormat, str, str], ...]:
        """Returns each format with its name and explanation."""
        return (
            (
                CaptionFormat.TXT,
                self.tr("Text file"),
                self.tr("A text file beside each image"),
            ),
            (
                CaptionFormat.XMP,
                self.tr("XMP"),
                self.tr(
                    "Description and alternative text in an .xmp file that other programs read"
                ),
            ),
            (
                CaptionFormat.JSONL,
                self.tr("JSON lines"),
                self.tr("One file for all images, one per line"),
            ),
            (
                CaptionFormat.CSV,
                self.tr("Table"),
                self.tr("One CSV file for all images, for a spreadsheet"),
            ),
        )

    def _ways_with_existing(self) -> tuple[tuple[Existing, str], ...]:
        return (
            (Existing.SKIP, self.tr("Skip images that have one")),
            (Existing.REPLACE, self.tr("Replace")),
            (Existing.APPEND, self.tr("Append the new one")),
            (Existing.PREPEND, self.tr("Prepend the new one")),
            (Existing.GENERATED, self.tr("Replace only what the model wrote")),
            (Existing.STALE, self.tr("Replace only captions made with other settings")),
        )

    def _place(self) -> None:
        self._page = QWidget()
        self._page.setObjectName("batch_form_page")
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.prompt_list)
        column.addWidget(self.unknown_words)
        labels = key_label(self.tr("Write")), key_label(self.tr("Existing captions"))
        column.addLayout(field_row(labels[0], *self.write_boxes.values()))
        column.addWidget(self.source_line)
        column.addLayout(field_row(labels[1], self.existing_box, self.recursive_box))
        self._labels = (*labels, self.source_line.indent, *self.more.labels)
        self.setWidget(self._page)
        self._page.installEventFilter(self)

    def _connect_source(self) -> None:
        self.source_line.taken.connect(self._take_source)
        self.source_line.table_toggled.connect(self._on_written_changed)
        for beside in (CaptionFormat.TXT, CaptionFormat.XMP):
            self.write_boxes[beside].toggled.connect(self._compare_source)
        self.more.name_box.currentTextChanged.connect(self._compare_source)
        self.more.suffix_box.currentIndexChanged.connect(self._compare_source)
        self._compare_source()

    @Slot()
    def _take_source(self) -> None:
        source = self._source
        is_text = not source.table and source.format in TEXT_FORMATS
        self.write_boxes[CaptionFormat.TXT].setChecked(is_text)
        self.write_boxes[CaptionFormat.XMP].setChecked(source.format is CaptionFormat.XMP)
        self.more.show_source(source)
        self._compare_source()

    @Slot()
    def _compare_source(self) -> None:
        self.source_line.show_written(self.unchecked_options)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # The labels here stand in rows and those of `more` in a grid; all get one width.
        width = max(label.sizeHint().width() for label in self._labels)
        for label in self._labels:
            label.setMinimumWidth(width)

    @Slot(QWidget)
    def _on_field_added(self, field: QWidget) -> None:
        """Scrolls to the field once it has its place."""
        QTimer.singleShot(0, field, partial(self.ensureWidgetVisible, field))

    @Slot()
    def _on_prompts_changed(self) -> None:
        self.unknown_words.note_text("\n".join(self.prompt_list.prompts))

    @Slot()
    def _on_written_changed(self) -> None:
        """Names of caption files matter only where such files are written."""
        text, xmp = (
            self.write_boxes[one].isChecked() for one in (CaptionFormat.TXT, CaptionFormat.XMP)
        )
        self.more.show_written(text=text, xmp=xmp)
        self._names_timer.start()

    @Slot()
    def _on_existing_changed(self) -> None:
        """Edits by hand can be in the way only of options that replace captions, and captions have
        something between them only where one is added."""
        existing = Existing(self.existing_box.currentData())
        self.more.show_adds(existing in (Existing.APPEND, Existing.PREPEND))
        replaces = (Existing.REPLACE, Existing.STALE, Existing.GENERATED)
        self.more.show_replaces(existing in replaces)

    @Slot()
    def _on_tables_changed(self) -> None:
        has_tables = any(self.write_boxes[kind].isChecked() for kind in TABLE_FORMATS)
        self.more.show_tables(has_tables, self.write_boxes[CaptionFormat.CSV].isChecked())
