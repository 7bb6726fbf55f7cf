"""Takes captions and reviews from a file or a folder: shows which images they belong to before any
is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from core.workspace import ReviewState
from core.workspace.export import FoundCaption, FoundInFile, FoundReview
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable

_SIZE = (720, 480)
_LEAST_SIZE = (480, 300)
_NAMED = 5
_LONGEST = 300


class ImportDialog(QDialog):
    """Asks for a file, shows what it has, and which captions would be replaced.

    `source_chosen(Path)`: look into this. `stopped()`: no more. `asked(list, list)`: write these
    captions and reviews, of those shown.
    """

    source_chosen = Signal(Path)
    stopped = Signal()
    asked = Signal(object, object)

    def __init__(self, folder: Path, parent: QWidget | None = None):
        """`folder` is where files are looked for first."""
        super().__init__(parent)
        self.setObjectName("import_dialog")
        self.setWindowTitle(self.tr("Import captions"))
        self._folder = folder
        self._found: FoundInFile | None = None
        self._read: Path | None = None
        self._build_source()
        self._build_found()
        self._place()
        self.file_button.clicked.connect(self._on_file_clicked)
        self.folder_button.clicked.connect(self._on_folder_clicked)
        self.source_edit.returnPressed.connect(self._on_source_entered)
        self.source_edit.textEdited.connect(self._on_source_edited)
        self.replace_box.toggled.connect(self._show_what)
        self.import_button.clicked.connect(self._on_import_clicked)
        self.cancel_button.clicked.connect(self.reject)
        self.file_button.setFocus()

    def look_into(self, source: Path) -> None:
        """Asks for what a file or folder has."""
        self.source_edit.setText(str(source))
        self._show(self.tr("Reading…"))
        self._read = source
        self.source_chosen.emit(source)

    def waits_for(self, source: Path) -> bool:
        """Whether it is still to be shown what this file or folder has."""
        return self._read == source

    def reject(self) -> None:
        """Closes the dialog, or ends the reading first."""
        if self._read is None:
            super().reject()
        else:
            self._show(self.tr("Reading was cancelled. Press Enter to read the file."))
            self.source_edit.setFocus()
            self.stopped.emit()

    def show_found(self, found: FoundInFile) -> None:
        """Shows what the file has."""
        self._read, self._found = None, found
        self.replace_box.setChecked(False)
        differing = len(found.differing) + len(found.differing_reviews)
        self.replace_box.setVisible(bool(differing))
        one, many = self.tr("Replace 1 that differs"), self.tr("Replace {count} that differ")
        self.replace_box.setText(counted(differing, one, many))
        self._show_what()
        (self.import_button if self.import_button.isEnabled() else self.replace_box).setFocus()

    def show_refusal(self, reason: str) -> None:
        """Shows why nothing can be read."""
        self._show(reason)

    # Parts

    def _build_source(self) -> None:
        self.source_edit = QLineEdit()
        self.source_edit.setObjectName("import_source_edit")
        self.source_edit.setAccessibleName(self.tr("Captions from"))
        self.source_edit.setPlaceholderText(
            self.tr("CSV, JSON, JSON lines, Parquet, or a folder of text or XMP files")
        )
        self.file_button = QPushButton(self.tr("&File…"))
        self.folder_button = QPushButton(self.tr("F&older…"))
        for button in (self.file_button, self.folder_button):
            button.setAutoDefault(False)

    def _build_found(self) -> None:
        self.what_label = paragraph(
            self.tr(
                "Choose the file with the captions. Nothing is written before you have seen it."
            )
        )
        self.what_label.setObjectName("import_what")
        self.rows = _FoundRows()
        self.table = QTableView()
        self.table.setObjectName("import_table")
        self.table.setAccessibleName(self.tr("Captions in the file"))
        self.table.setModel(self.rows)
        self.table.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setWordWrap(False)
        self.table.setShowGrid(False)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.table.hide()
        self.replace_box = QCheckBox()
        self.replace_box.setObjectName("import_replace_box")
        self.replace_box.hide()
        self.import_button = QPushButton()
        self.import_button.setObjectName("import_button")
        self.import_button.setDefault(True)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.setAutoDefault(False)
        self._show_button()

    def _place(self) -> None:
        source = QHBoxLayout()
        source.setSpacing(8)
        source.addWidget(self.source_edit, 1)
        source.addWidget(self.file_button)
        source.addWidget(self.folder_button)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.replace_box)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.import_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(12)
        column.addLayout(source)
        column.addWidget(self.what_label)
        column.addWidget(self.table, 1)
        column.addStretch(0)
        column.addLayout(buttons)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)

    # What is shown

    @property
    def _chosen(self) -> tuple[list[FoundCaption], list[FoundReview]]:
        found = self._found
        if found is None:
            return [], []
        if not self.replace_box.isChecked():
            return list(found.new), list(found.new_reviews)
        reviews = [*found.new_reviews, *found.differing_reviews]
        return [*found.new, *found.differing], reviews

    def _show(self, text: str) -> None:
        self._read = self._found = None
        self.table.hide()
        self.replace_box.hide()
        self.what_label.setText(breakable(text))
        self._show_button()

    @Slot()
    def _show_what(self) -> None:
        found = self._found
        if found is None:
            return
        self.what_label.setText(breakable(self._sentences(found)))
        reviews = (*found.new_reviews, *found.differing_reviews)
        self.rows.show_rows([*found.new, *found.differing, *reviews])
        self.table.setVisible(self.rows.rowCount() > 0)
        self._show_button()

    def _sentences(self, found: FoundInFile) -> str:
        sentences = (
            (
                len(found.new),
                self.tr("1 image without a caption gets one."),
                self.tr("{count} images without a caption get one."),
            ),
            (
                len(found.differing),
                self.tr("1 image has another caption."),
                self.tr("{count} images have another caption."),
            ),
            (
                found.same,
                self.tr("1 caption is the same."),
                self.tr("{count} captions are the same."),
            ),
            *self._sentences_on_reviews(found),
        )
        parts = [counted(count, one, many) for count, one, many in sentences if count]
        for names, one, many in (
            (
                found.unknown,
                self.tr("1 name belongs to no image here ({names})."),
                self.tr("{count} names belong to no image here ({names})."),
            ),
            (
                found.unclear,
                self.tr("1 name belongs to several images ({names})."),
                self.tr("{count} names belong to several images ({names})."),
            ),
        ):
            if names:
                shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
                parts.append(counted(len(names), one, many).replace("{names}", shown[:_LONGEST]))
        return " ".join(parts)

    def _sentences_on_reviews(self, found: FoundInFile) -> tuple[tuple[int, str, str], ...]:
        return (
            (
                len(found.new_reviews),
                self.tr("1 image without a review gets one."),
                self.tr("{count} images without a review get one."),
            ),
            (
                len(found.differing_reviews),
                self.tr("1 image has another review."),
                self.tr("{count} images have another review."),
            ),
            (
                found.same_reviews,
                self.tr("1 review is the same."),
                self.tr("{count} reviews are the same."),
            ),
        )

    def _show_button(self) -> None:
        captions, reviews = self._chosen
        self.import_button.setText(self._button_text(len(captions), len(reviews)))
        self.import_button.setEnabled(bool(captions or reviews))

    def _button_text(self, captions: int, reviews: int) -> str:
        of_captions = counted(captions, self.tr("1 caption"), self.tr("{count} captions"))
        of_reviews = counted(reviews, self.tr("1 review"), self.tr("{count} reviews"))
        if captions and reviews:
            text = self.tr("Import {captions} and {reviews}")
            return text.format(captions=of_captions, reviews=of_reviews)
        if captions or reviews:
            return self.tr("Import {what}").format(what=of_captions if captions else of_reviews)
        return self.tr("Import")

    # What is done

    @Slot()
    def _on_source_entered(self) -> None:
        if text := self.source_edit.text().strip():
            self.look_into(Path(text).expanduser())

    @Slot()
    def _on_source_edited(self) -> None:
        if self._read is not None:
            self.stopped.emit()
        self._show(self.tr("Press Enter to read the file."))

    @Slot()
    def _on_file_clicked(self) -> None:
        kinds = "*.csv *.tsv *.jsonl *.ndjson *.json *.parquet"
        tables, every = self.tr("Captions"), self.tr("All files")
        filters = f"{tables} ({kinds});;{every} (*)"
        dialog = QFileDialog(self, self.tr("Import captions"), str(self._folder), filters)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        self._open(dialog)

    @Slot()
    def _on_folder_clicked(self) -> None:
        dialog = QFileDialog(self, self.tr("Import captions"), str(self._folder))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        self._open(dialog)

    def _open(self, dialog: QFileDialog) -> None:
        dialog.fileSelected.connect(self._on_file_selected)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(str)
    def _on_file_selected(self, name: str) -> None:
        self.look_into(Path(name))

    @Slot()
    def _on_import_clicked(self) -> None:
        if self._found is None:
            self._on_source_entered()
            return
        self.asked.emit(*self._chosen)
        self.accept()


_Index = QModelIndex | QPersistentModelIndex


class _FoundRows(QAbstractTableModel):
    """A row for each caption, and then for each review: the image, what it has, and what the file
    has."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[FoundCaption | FoundReview] = ()

    def show_rows(self, rows: Sequence[FoundCaption | FoundReview]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (as Qt has it)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        value = (row.path.name, row.own, row.found)[index.column()]
        whole = self._review_text(value) if isinstance(value, ReviewState) else value
        if role == Qt.ItemDataRole.DisplayRole:
            return " ".join(whole[:_LONGEST].split())
        return whole if role == Qt.ItemDataRole.ToolTipRole else None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        if role != Qt.ItemDataRole.DisplayRole or orientation is not Qt.Orientation.Horizontal:
            return None
        return (self.tr("Image"), self.tr("Now"), self.tr("In the file"))[section]

    def _review_text(self, review: ReviewState) -> str:
        names = {
            ReviewState.UNREVIEWED: self.tr("No review"),
            ReviewState.ACCEPTED: self.tr("Review: accepted"),
            ReviewState.REJECTED: self.tr("Review: rejected"),
            ReviewState.NEEDS_WORK: self.tr("Review: needs work"),
        }
        return names[review]
