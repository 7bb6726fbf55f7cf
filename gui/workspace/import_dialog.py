"""Takes captions from a file or a folder: shows which images they belong to before any is written.

`FoundCaptions` of the session is what is shown; here it is known only by its fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

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

from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable
from gui.workspace.export_texts import counted

_SIZE = (720, 480)
_LEAST_SIZE = (480, 300)
_NAMED = 5
_LONGEST = 300


class Found(Protocol):
    """A caption for an image, and the one that the image has."""

    @property
    def path(self) -> Path: ...
    @property
    def own(self) -> str: ...
    @property
    def found(self) -> str: ...


class FoundInFile(Protocol):
    """What a file has for the images."""

    @property
    def new(self) -> Sequence[Found]: ...
    @property
    def differing(self) -> Sequence[Found]: ...
    @property
    def same(self) -> int: ...
    @property
    def unknown(self) -> Sequence[str]: ...
    @property
    def unclear(self) -> Sequence[str]: ...


class ImportDialog(QDialog):
    """Asks for a file, shows what it has, and which captions would be replaced.

    `source_chosen(Path)`: look into this. `asked(list)`: write these captions, of those shown.
    """

    source_chosen = Signal(Path)
    asked = Signal(object)

    def __init__(self, folder: Path, parent: QWidget | None = None):
        """`folder` is where files are looked for first."""
        super().__init__(parent)
        self.setObjectName("import_dialog")
        self.setWindowTitle(self.tr("Import captions"))
        self._folder = folder
        self._found: FoundInFile | None = None
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
        self._found = None
        self.source_edit.setText(str(source))
        self._show(self.tr("Reading…"))
        self.source_chosen.emit(source)

    def show_found(self, found: FoundInFile) -> None:
        """Shows what the file has."""
        self._found = found
        self.replace_box.setChecked(False)
        self.replace_box.setVisible(bool(found.differing))
        one, many = (
            self.tr("Replace 1 caption that differs"),
            self.tr("Replace {count} captions that differ"),
        )
        self.replace_box.setText(counted(len(found.differing), one, many))
        self._show_what()
        if self.import_button.isEnabled():
            self.import_button.setFocus()

    def show_refusal(self, reason: str) -> None:
        """Shows why nothing can be read."""
        self._show(reason)

    # Parts

    def _build_source(self) -> None:
        self.source_edit = QLineEdit()
        self.source_edit.setObjectName("import_source_edit")
        self.source_edit.setAccessibleName(self.tr("Captions from"))
        self.source_edit.setPlaceholderText(
            self.tr("CSV, JSON, JSON lines, Parquet, or a folder of text files")
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
    def _chosen(self) -> list[Found]:
        if self._found is None:
            return []
        differing = self._found.differing if self.replace_box.isChecked() else ()
        return [*self._found.new, *differing]

    def _show(self, text: str) -> None:
        self._found = None
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
        self.rows.show_rows([*found.new, *found.differing])
        self.table.setVisible(bool(found.new or found.differing))
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
            (found.same, self.tr("1 is the same."), self.tr("{count} are the same.")),
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

    def _show_button(self) -> None:
        count = len(self._chosen)
        one, many = self.tr("Import 1 caption"), self.tr("Import {count} captions")
        self.import_button.setText(counted(count, one, many) if count else self.tr("Import"))
        self.import_button.setEnabled(count > 0)

    # What is done

    @Slot()
    def _on_source_entered(self) -> None:
        if text := self.source_edit.text().strip():
            self.look_into(Path(text).expanduser())

    @Slot()
    def _on_source_edited(self) -> None:
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
        self.asked.emit(self._chosen)
        self.accept()


_Index = QModelIndex | QPersistentModelIndex


class _FoundRows(QAbstractTableModel):
    """A row for each caption: the image, the caption that it has, and the one in the file."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Found] = ()

    def show_rows(self, rows: Sequence[Found]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (as Qt has it)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        whole = (row.path.name, row.own, row.found)[index.column()]
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
        return (self.tr("Image"), self.tr("Caption now"), self.tr("Caption in the file"))[section]
