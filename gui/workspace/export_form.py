"""The choices of an export: the format, which images, where to, and the format's own options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from core.captions.formats import SEPARATORS
from core.workspace.export import ExportFormat, ExportOptions, ImageFiles
from gui.widgets.counted import counted
from gui.widgets.elided_combo_box import ElidedComboBox
from gui.widgets.labels import paragraph
from gui.widgets.number_boxes import WholeNumberBox
from gui.workspace.export_texts import format_names, summary

_LARGEST_SHARD_MB = 100_000
_WITH_IMAGES = (ExportFormat.TEXT, ExportFormat.IMAGEFOLDER, ExportFormat.XMP)
_WITH_TITLE = (ExportFormat.COCO, ExportFormat.HTML, ExportFormat.MARKDOWN)


class Scope(StrEnum):
    """Which images are meant."""

    ALL = "all"
    LISTED = "listed"
    SELECTED = "selected"


@dataclass(frozen=True)
class ScopeCounts:
    """How many images each scope has."""

    all: int
    listed: int
    selected: int

    def of(self, scope: Scope) -> int:
        """Returns how many images a scope has."""
        return {
            Scope.ALL: self.all,
            Scope.LISTED: self.listed,
            Scope.SELECTED: self.selected,
        }[scope]


@dataclass(frozen=True)
class ExportChoice:
    """What is chosen in the form."""

    scope: Scope
    options: ExportOptions
    adds_reviews: bool = False


class ExportForm(QWidget):
    """Shows the options that the chosen format has. `folder` is the one whose images they are.

    `changed()`: something else is chosen.
    """

    changed = Signal()

    def __init__(self, folder: Path, counts: ScopeCounts, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("export_form")
        self._folder, self._counts = folder, counts
        self._suggested = ""
        self._build_what()
        self._build_options()
        self._place()
        self.format_box.currentIndexChanged.connect(self._on_format_changed)
        self.browse_button.clicked.connect(self._on_browse_clicked)
        for box in (self.scope_box, self.images_box, self.suffix_box, self.separator_box):
            box.currentIndexChanged.connect(self._on_changed)
        for edit in (self.output_edit, self.column_edit, self.title_edit):
            edit.textChanged.connect(self._on_changed)
        for check in (self.one_line_box, self.embed_box, self.reviews_box):
            check.toggled.connect(self._on_changed)
        self._on_format_changed()

    @property
    def choice(self) -> ExportChoice:
        """What is chosen."""
        kind = self.format
        return ExportChoice(
            Scope(self.scope_box.currentData()),
            ExportOptions(
                kind,
                self._output,
                images=ImageFiles(self.images_box.currentData()),
                suffix=self.suffix_box.currentText(),
                is_one_line=self.one_line_box.isChecked(),
                column=self.column_edit.text().strip() or "text",
                csv_separator=self.separator_box.currentData(),
                embeds_images=self.embed_box.isChecked(),
                shard_bytes=self.shard_box.value() * 1_000_000,
                title=self.title_edit.text().strip(),
            ),
            adds_reviews=kind.has_reviews and self.reviews_box.isChecked(),
        )

    @property
    def format(self) -> ExportFormat:
        """The chosen format."""
        return ExportFormat(self.format_box.currentData())

    @property
    def can_export(self) -> bool:
        """Whether there are images, and a place for them."""
        has_images = self._counts.of(Scope(self.scope_box.currentData())) > 0
        return has_images and bool(self.output_edit.text().strip())

    @property
    def summary(self) -> str:
        """What will be written, in words."""
        choice = self.choice
        count = self._counts.of(choice.scope)
        return summary(choice.options, count, adds_reviews=choice.adds_reviews)

    def show_choice(self, choice: ExportChoice) -> None:
        """Shows what was chosen for an earlier export, but for the place."""
        options = choice.options
        self.format_box.setCurrentIndex(self.format_box.findData(options.format))
        self.images_box.setCurrentIndex(self.images_box.findData(options.images))
        self.suffix_box.setCurrentText(options.suffix)
        self.one_line_box.setChecked(options.is_one_line)
        self.column_edit.setText(options.column)
        self.separator_box.setCurrentIndex(self.separator_box.findData(options.csv_separator))
        self.embed_box.setChecked(options.embeds_images)
        self.shard_box.setValue(options.shard_bytes // 1_000_000)
        self.reviews_box.setChecked(choice.adds_reviews)

    # Parts

    def _build_what(self) -> None:
        self.format_box = _combo("export_format_box", self.tr("Format"))
        for kind, name, _ in format_names():
            self.format_box.addItem(name, kind)
        self.format_note = paragraph(style="explanation", is_selectable=False)
        # Otherwise a form gives a paragraph half of its width.
        self.format_note.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.format_note.setMinimumHeight(1)  # Not that of narrower lines.
        self.scope_box = _combo("export_scope_box", self.tr("Images"))
        for scope, words, count in self._scopes():
            self.scope_box.addItem(words.format(count=f"{count:,}"), scope)
        if self._counts.selected > 1:
            self.scope_box.setCurrentIndex(self.scope_box.findData(Scope.SELECTED))
        elif self._counts.listed < self._counts.all:
            self.scope_box.setCurrentIndex(self.scope_box.findData(Scope.LISTED))
        self.output_edit = QLineEdit()
        self.output_edit.setObjectName("export_output_edit")
        self.output_edit.setAccessibleName(self.tr("Save to"))
        self.browse_button = QPushButton(self.tr("Browse…"))
        self.browse_button.setProperty("class", "small")
        self.browse_button.setAutoDefault(False)

    def _scopes(self) -> list[tuple[Scope, str, int]]:
        """Returns what there is to choose from: a filter or a selection only if there is one."""
        counts = self._counts
        every = counted(counts.all, self.tr("The image"), self.tr("All {count} images"))
        found = [(Scope.ALL, every, counts.all)]
        if counts.listed < counts.all:
            one, many = self.tr("The image listed now"), self.tr("The {count} images listed now")
            found.append((Scope.LISTED, counted(counts.listed, one, many), counts.listed))
        if counts.selected > 1:
            text = self.tr("The {count} selected images").format(count=f"{counts.selected:,}")
            found.append((Scope.SELECTED, text, counts.selected))
        return found

    def _build_options(self) -> None:
        self.images_box = _combo("export_images_box", self.tr("Image files"))
        self.images_box.addItem(self.tr("Copy"), ImageFiles.COPY)
        self.images_box.addItem(self.tr("Link (takes no space)"), ImageFiles.LINK)
        self.images_box.addItem(self.tr("Leave where they are"), ImageFiles.NONE)
        self.suffix_box = _combo("export_suffix_box", self.tr("Extension"))
        self.suffix_box.addItem("txt")
        self.suffix_box.addItem("caption")
        self.one_line_box = QCheckBox(self.tr("Each caption on one line"))
        self.column_edit = QLineEdit("text")
        self.column_edit.setAccessibleName(self.tr("Caption column"))
        self.separator_box = _combo("export_separator_box", self.tr("Separator"))
        names = {
            "comma": self.tr("Comma"),
            "semicolon": self.tr("Semicolon"),
            "tab": self.tr("Tab"),
        }
        for name, character in SEPARATORS.items():
            self.separator_box.addItem(names.get(name, name), character)
        self.embed_box = QCheckBox(self.tr("Put the images into the file"))
        self.shard_box = WholeNumberBox()
        self.shard_box.setAccessibleName(self.tr("Largest file"))
        self.shard_box.setRange(1, _LARGEST_SHARD_MB)
        self.shard_box.setValue(1000)
        self.shard_box.setSuffix(self.tr(" MB"))
        self.title_edit = QLineEdit()
        self.title_edit.setAccessibleName(self.tr("Title"))
        self.reviews_box = QCheckBox(self.tr("Include reviews (accepted, rejected …)"))
        self.reviews_box.setObjectName("export_reviews_box")

    def _place(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(8)
        output = QHBoxLayout()
        output.setSpacing(8)
        output.addWidget(self.output_edit, 1)
        output.addWidget(self.browse_button)
        form.addRow(self.tr("Format"), self.format_box)
        form.addRow("", self.format_note)
        form.addRow(self.tr("Images"), self.scope_box)
        form.addRow(self.tr("Save to"), output)
        for words, field in self._own_options():
            form.addRow(words, field)
        self._form = form

    def _own_options(self) -> Sequence[tuple[str, QWidget]]:
        """Returns the options that only some formats have, with their labels."""
        return (
            (self.tr("Image files"), self.images_box),
            (self.tr("Extension"), self.suffix_box),
            ("", self.one_line_box),
            (self.tr("Caption column"), self.column_edit),
            (self.tr("Separator"), self.separator_box),
            ("", self.embed_box),
            (self.tr("Largest file"), self.shard_box),
            (self.tr("Title"), self.title_edit),
            ("", self.reviews_box),
        )

    @property
    def _output(self) -> Path:
        """Where to: a file gets the format's suffix, and a bare name stands beside the images."""
        path = Path(self.output_edit.text().strip()).expanduser()
        suffix = self.format.suffix
        if suffix and path.name and path.suffix.lower() != suffix:
            path = path.with_name(f"{path.name}{suffix}")
        return path if path.is_absolute() else self._folder.parent / path

    # What is done

    @Slot()
    def _on_format_changed(self) -> None:
        kind = self.format
        has = {
            self.images_box: kind in _WITH_IMAGES,
            self.suffix_box: kind is ExportFormat.TEXT,
            self.one_line_box: kind is ExportFormat.TEXT,
            self.column_edit: kind is ExportFormat.IMAGEFOLDER,
            self.separator_box: kind is ExportFormat.CSV,
            self.embed_box: kind is ExportFormat.PARQUET,
            self.shard_box: kind is ExportFormat.WEBDATASET,
            self.title_edit: kind in _WITH_TITLE,
            self.reviews_box: kind.has_reviews,
        }
        for field, is_there in has.items():
            self._form.setRowVisible(field, is_there)
        notes = {known: note for known, _, note in format_names()}
        self.format_note.setText(notes[kind])
        self._suggest()
        self._on_changed()

    def showEvent(self, event: QShowEvent) -> None:
        """Keeps the fields in their column, whichever rows a format has."""
        super().showEvent(event)
        metrics = self.fontMetrics()
        widths = (metrics.horizontalAdvance(words) for words, _ in self._own_options())
        if (label := self._form.labelForField(self.format_box)) is not None:
            label.setMinimumWidth(max(widths))

    def _suggest(self) -> None:
        """Suggests a place beside the folder, unless another one was written."""
        if self.output_edit.text() not in ("", self._suggested):
            return
        name = self.tr("{folder} export").format(folder=self._folder.name or "images")
        self._suggested = str(self._folder.parent / f"{name}{self.format.suffix}")
        self.output_edit.setText(self._suggested)
        self.output_edit.setCursorPosition(len(self._suggested))

    @Slot()
    def _on_changed(self) -> None:
        self.changed.emit()

    @Slot()
    def _on_browse_clicked(self) -> None:
        is_folder = self.format.is_folder
        dialog = QFileDialog(self, self.tr("Save to"), str(self._output.parent))
        if is_folder:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        else:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setDefaultSuffix(self.format.suffix[1:])
            dialog.selectFile(self._output.name)
            # Asked once, where the export finds that the file is not its own.
            dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.fileSelected.connect(self.output_edit.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _combo(name: str, words: str) -> QComboBox:
    box = ElidedComboBox()
    box.setObjectName(name)
    box.setAccessibleName(words)
    return box
