"""What a folder run is to ask and write; what is seldom wanted is folded away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from core.batch import BatchOptions, Existing
from core.transcript import Sampling
from gui.widgets.elided_label import ElidedLabel

_PROMPT_LINES = 2
_LEAST_HEIGHT = 96
_MOST_SLOTS = 64
_WIDE = 340
_NUMBER_WIDTH = 104
_EXAMPLE = Path("IMG_1.jpg")

_EXISTING_WORDS = (
    (Existing.SKIP, "Skip images that have one"),
    (Existing.REPLACE, "Replace them"),
    (Existing.APPEND, "Add after them"),
    (Existing.PREPEND, "Add before them"),
    (Existing.STALE, "Replace only what was made otherwise"),
)
_WRITES = (
    ("txt", "Text file", "A text file beside each image"),
    ("xmp", "XMP", "Description and alternative text in an .xmp file that other programs read"),
    ("jsonl", "JSON lines", "One file for all, a line each"),
    ("csv", "Table", "One CSV file for all, for a spreadsheet"),
)
_SUFFIXES = ("txt", "caption")
_NAMES = ("{stem}", "{name}")


class BatchForm(QScrollArea):
    """As high as what is in it while there is room, then it scrolls.

    `recursion_changed(bool)`: whether the folders inside are to be taken too.
    """

    recursion_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("batch_form")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._sampling = Sampling()
        self._build_usual()
        self._build_rare()
        self._page = QWidget()
        self._page.setObjectName("batch_form_page")
        column = QVBoxLayout(self._page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.prompt_edit)
        names = _quiet("Write"), _quiet("Captions there")
        column.addLayout(_row(names[0], *self.write_boxes.values()))
        column.addLayout(_row(names[1], self.existing_box, self.recursive_box))
        column.addWidget(self.rare)
        self.rare.hide()
        # In one line with the names below, which are in a grid.
        widths = [label.sizeHint().width() for label in (*names, *self._labels.values())]
        for label in (*names, *self._labels.values()):
            label.setMinimumWidth(max(widths))
        self.setWidget(self._page)
        self.recursive_box.toggled.connect(self.recursion_changed)
        self.write_boxes["txt"].toggled.connect(self._show_example)
        self.suffix_box.currentIndexChanged.connect(self._show_example)
        self.name_box.currentTextChanged.connect(self._show_example)
        self.existing_box.currentIndexChanged.connect(self._show_edited)
        self._show_example()
        self._show_edited()
        for box in (self.existing_box, self.suffix_box, self.name_box, *self._numbers):
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the form, and changes nothing that the pointer happens to be on."""
        is_wheel = event.type() == QEvent.Type.Wheel
        if is_wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    @property
    def slots(self) -> int | None:
        """How many images at once; None for as many as suit."""
        return self.slots_box.value() or None

    @property
    def options(self) -> BatchOptions:
        """What is chosen. Raises ValueError with a sentence when it is no run."""
        prompts = tuple(
            line.strip() for line in self.prompt_edit.toPlainText().splitlines() if line.strip()
        )
        writes = [kind for kind, box in self.write_boxes.items() if box.isChecked()]
        if "txt" in writes:
            writes[writes.index("txt")] = self.suffix_box.currentData()
        return BatchOptions(
            prompts=prompts,
            writes=tuple(writes),
            existing=Existing(self.existing_box.currentData()),  # Qt keeps a plain str.
            name=self.name_box.currentText().strip(),
            is_recursive=self.recursive_box.isChecked(),
            sampling=replace(
                self._sampling,
                temperature=self.temperature_box.value(),
                banned_words=_named(self.banned_edit.text()),
            ),
            beginning=self.beginning_edit.text().strip(),
            strips_openings=self.strip_box.isChecked(),
            ends_at_sentence=self.sentence_box.isChecked(),
            replaces_edited=_named(self.edited_edit.text()),
        ).checked()

    def show_prompt(self, prompt: str) -> None:
        """What to ask, unless something is written there."""
        if not self.prompt_edit.toPlainText().strip():
            self.prompt_edit.setPlainText(prompt)

    def show_sampling(self, sampling: Sampling) -> None:
        """How words are chosen; the temperature may be changed for the run."""
        self._sampling = sampling
        self.temperature_box.setValue(sampling.temperature)

    def show_options(self, options: BatchOptions) -> None:
        """Those of a run that is opened again, or of a way that was tried."""
        self.prompt_edit.setPlainText("\n".join(options.prompts))
        for kind, box in self.write_boxes.items():
            box.setChecked(kind in options.writes or (kind == "txt" and bool(options.text_kinds)))
        if options.text_kinds:
            self.suffix_box.setCurrentIndex(self.suffix_box.findData(options.text_kinds[0]))
        self.existing_box.setCurrentIndex(self.existing_box.findData(options.existing))
        self.name_box.setCurrentText(options.name)
        self.beginning_edit.setText(options.beginning)
        self.strip_box.setChecked(options.strips_openings)
        self.sentence_box.setChecked(options.ends_at_sentence)
        self.banned_edit.setText(", ".join(options.sampling.banned_words))
        self.edited_edit.setText(", ".join(options.replaces_edited))
        self.show_sampling(options.sampling)
        # Nothing is to be looked for anew.
        self.recursive_box.blockSignals(True)
        self.recursive_box.setChecked(options.is_recursive)
        self.recursive_box.blockSignals(False)

    def unfold(self, is_unfolded: bool) -> None:
        """Whether to show what is seldom wanted."""
        self.rare.setVisible(is_unfolded)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return self._page.sizeHint()

    def minimumSizeHint(self) -> QSize:
        hint = self._page.minimumSizeHint()
        return QSize(hint.width(), min(hint.height(), _LEAST_HEIGHT))

    # Parts

    def _build_usual(self) -> None:
        self.prompt_edit = QPlainTextEdit()
        self.prompt_edit.setObjectName("batch_prompt_edit")
        self.prompt_edit.setAccessibleName("What to ask about each image; one prompt a line")
        self.prompt_edit.setPlaceholderText(
            "What to ask about each image; one prompt a line. {name}, {folder}, {caption} and "
            "{exif:Model} are filled in."
        )
        self.prompt_edit.setToolTip(
            "One prompt a line. Filled in: {name}, {stem}, {folder}, {index}, {caption} (the one "
            "there is), {exif:Model}"
        )
        self.prompt_edit.setTabChangesFocus(True)
        lines = QFontMetrics(self.prompt_edit.font()).lineSpacing() * _PROMPT_LINES
        self.prompt_edit.setFixedHeight(lines + 20)
        self.write_boxes: dict[str, QCheckBox] = {}
        for kind, words, explanation in _WRITES:
            box = QCheckBox(words)
            box.setObjectName(f"write_{kind}")
            box.setToolTip(explanation)
            self.write_boxes[kind] = box
        self.write_boxes["txt"].setChecked(True)
        self.existing_box = _combo("existing_box", "Captions that are there")
        for existing, words in _EXISTING_WORDS:
            self.existing_box.addItem(words, existing)
        self.existing_box.setMinimumContentsLength(20)
        self.existing_box.setMaximumWidth(_WIDE)
        self.existing_box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.recursive_box = QCheckBox("Folders inside")
        self.recursive_box.setObjectName("recursive_box")
        self.recursive_box.setToolTip("Take the images of the folders inside, too")

    def _build_rare(self) -> None:
        self.suffix_box = _combo("suffix_box", "Ending of text files")
        for suffix in _SUFFIXES:
            self.suffix_box.addItem(f".{suffix}", suffix)
        self.name_box = _combo("name_box", "Names of text files")
        self.name_box.setEditable(True)
        self.name_box.addItems(_NAMES)
        self.name_box.setToolTip(
            "{stem}: the image's name without its ending; {name}: all of it. More may be written "
            "around it."
        )
        self.example_label = ElidedLabel()
        self.example_label.setProperty("class", "key")
        self.beginning_edit = QLineEdit()
        self.beginning_edit.setObjectName("beginning_edit")
        self.beginning_edit.setPlaceholderText("A photograph of")
        self.banned_edit = QLineEdit()
        self.banned_edit.setObjectName("banned_edit")
        self.banned_edit.setPlaceholderText("watermark, stock photo")
        self.banned_edit.setToolTip("Words that no caption has, in small letters or in capitals")
        self.strip_box = QCheckBox("Without “The image shows”")
        self.strip_box.setObjectName("strip_box")
        self.strip_box.setToolTip("Leave stock openings out")
        self.sentence_box = QCheckBox("Whole sentences")
        self.sentence_box.setObjectName("sentence_box")
        self.sentence_box.setToolTip("End at the last whole sentence when the length runs out")
        self.temperature_box = QDoubleSpinBox()
        self.temperature_box.setObjectName("run_temperature_box")
        self.temperature_box.setRange(0.0, 2.0)
        self.temperature_box.setSingleStep(0.1)
        self.temperature_box.setDecimals(2)
        self.temperature_box.setToolTip("0: always the likeliest word; higher: more varied ones")
        self.slots_box = QSpinBox()
        self.slots_box.setObjectName("slots_box")
        self.slots_box.setRange(0, _MOST_SLOTS)
        self.slots_box.setSpecialValueText("As suits")
        self.slots_box.setToolTip("How many images the model looks at at once")
        self._numbers = (self.temperature_box, self.slots_box)
        for box in self._numbers:
            # The stylesheet's padding does not reach the text of a spin box.
            box.lineEdit().setTextMargins(6, 0, 0, 0)
            box.setFixedWidth(_NUMBER_WIDTH)
        self.edited_edit = QLineEdit()
        self.edited_edit.setObjectName("edited_edit")
        self.edited_edit.setPlaceholderText("IMG_1.jpg, IMG_2.jpg")
        self.edited_edit.setToolTip(
            "Captions edited by hand are kept; name the images whose may be replaced all the same"
        )
        self.rare = QWidget()
        self.rare.setObjectName("rare_options")
        grid = QGridLayout(self.rare)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        names = _row(self.name_box, self.suffix_box, self.example_label)
        self.name_box.setMinimumContentsLength(12)
        self.suffix_box.setMinimumContentsLength(8)
        numbers = _row(self.temperature_box, _named_field("At once", self.slots_box))
        wording = _row(self.strip_box, self.sentence_box)
        rows = (
            ("Text files", self.name_box, names),
            ("Begin with", self.beginning_edit, self.beginning_edit),
            ("Never say", self.banned_edit, self.banned_edit),
            ("Wording", self.strip_box, wording),
            ("Temperature", self.temperature_box, numbers),
            ("Hand edits of", self.edited_edit, self.edited_edit),
        )
        self._labels: dict[QWidget, QLabel] = {}
        for place, (words, buddy, content) in enumerate(rows):
            label = self._labels[buddy] = _quiet(words)
            label.setBuddy(buddy)
            if not buddy.accessibleName():
                buddy.setAccessibleName(words)
            grid.addWidget(label, place, 0)
            if isinstance(content, QWidget):
                grid.addWidget(content, place, 1)
            else:
                grid.addLayout(content, place, 1)

    @Slot()
    def _show_example(self) -> None:
        """How the text file of an image would be called."""
        is_written = self.write_boxes["txt"].isChecked()
        for part in (self.name_box, self.suffix_box):
            part.setEnabled(is_written)
        name = self.name_box.currentText().strip()
        name = name.replace("{stem}", _EXAMPLE.stem).replace("{name}", _EXAMPLE.name)
        words = f"→ {name}.{self.suffix_box.currentData()}"
        self.example_label.setText(words if is_written else "")

    @Slot()
    def _show_edited(self) -> None:
        """Hand edits can only be in the way of what replaces."""
        existing = Existing(self.existing_box.currentData())
        replaces = existing in (Existing.REPLACE, Existing.STALE)
        self.edited_edit.setVisible(replaces)
        self._labels[self.edited_edit].setVisible(replaces)


def _named(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _quiet(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("class", "key")
    return label


def _combo(name: str, words: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(words)
    box.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(policy)
    box.setMinimumContentsLength(7)
    return box


def _named_field(words: str, field: QWidget) -> QWidget:
    """A field with its name before it, as one part of a row."""
    part = QWidget()
    row = QHBoxLayout(part)
    row.setContentsMargins(12, 0, 0, 0)
    row.setSpacing(12)
    label = _quiet(words)
    label.setBuddy(field)
    field.setAccessibleName(words)
    row.addWidget(label)
    row.addWidget(field)
    return part


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(12)
    for part in parts:
        row.addWidget(part)
    # Whatever grows takes what it may before the rest of the line is left empty.
    row.addStretch(0)
    return row
