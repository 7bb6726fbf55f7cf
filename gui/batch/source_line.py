"""Where the captions of the folder are, and whether a run over it writes there."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from core.batch import BatchOptions
from core.captions.sidecar import filled_name
from core.workspace import CaptionSource
from gui.batch.form_fields import key_label
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.text_direction import elided

_EXAMPLE = "IMG_1.jpg"
_LONGEST = 200


class SourceLine(QWidget):
    """A box for the folder's table, whose rows the run can change; for files beside the images, a
    sentence where the run does not write what one would expect.

    `table_toggled()`: captions are to go into the table, or not. `taken()`: they are to go where
    those of the folder are.
    """

    table_toggled = Signal()
    taken = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("source_line")
        self._source: CaptionSource | None = None
        self._tables: tuple[str, ...] = ()
        self.table_box = QCheckBox()
        self.table_box.setObjectName("write_table_rows")
        self.label = ElidedLabel()
        self.label.setObjectName("source_label")
        self.label.setProperty("class", "key")
        self.take_button = QPushButton(self.tr("Write there"))
        self.take_button.setObjectName("take_source_button")
        self.take_button.setProperty("class", "small")
        self.take_button.setAutoDefault(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        self.indent = key_label("")
        row.addWidget(self.indent)
        row.addWidget(self.table_box)
        row.addWidget(self.label)
        row.addWidget(self.take_button)
        row.addStretch(0)
        self.table_box.toggled.connect(self.table_toggled)
        self.take_button.clicked.connect(self._on_take_clicked)
        self.hide()

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows are to be written."""
        return self._tables if self.table_box.isChecked() else ()

    def show_source(self, source: CaptionSource, tables: tuple[str, ...]) -> None:
        """Says where the captions of the folder are: in these `tables`, if any."""
        self._source = source
        self._show_tables(tables, is_chosen=bool(tables))

    def show_options(self, options: BatchOptions) -> None:
        """Shows the tables of a run that is opened again."""
        if options.tables:
            self._show_tables(options.tables, is_chosen=True)
        else:
            self.table_box.setChecked(False)

    def show_written(self, options: BatchOptions) -> None:
        """Compares what a run with these options writes with where the captions are."""
        self.table_box.setVisible(bool(self._tables))
        source = self._source
        is_beside = source is not None and not source.table
        is_usual = source == CaptionSource()
        is_same = source is not None and _writes(options, source)
        self.label.setVisible(is_beside and not (is_usual and is_same))
        self.take_button.setVisible(is_beside and not is_same)
        if source is not None and is_beside:
            text = self.tr("Named like {name}, as in this folder")
            if not is_same:
                text = self.tr("This folder has captions named like {name}")
            name = f"{filled_name(source.pattern, _EXAMPLE)}.{source.format.value}"
            self.label.setText(text.format(name=name))
        self.setVisible(not (self.table_box.isHidden() and self.label.isHidden()))

    def _show_tables(self, tables: tuple[str, ...], *, is_chosen: bool) -> None:
        self._tables = tables
        names = ", ".join(dict.fromkeys(Path(table).name for table in tables))
        text = self.tr("Table of this folder ({name})").format(name=names)
        metrics = self.table_box.fontMetrics()
        shown = elided(metrics, names, Qt.TextElideMode.ElideMiddle, _LONGEST)
        shown = self.tr("Table of this folder ({name})").format(name=shown)
        self.table_box.setText(shown.replace("&", "&&"))
        self.table_box.setAccessibleName(text)
        tip = self.tr("The captions of this folder are in {name}. Its rows are changed in place.")
        self.table_box.setToolTip(tip.format(name=f"“{names}”"))
        self.table_box.setChecked(is_chosen)

    @Slot()
    def _on_take_clicked(self) -> None:
        self.taken.emit()


def _writes(options: BatchOptions, source: CaptionSource) -> bool:
    return source.format in options.writes and options.name == source.pattern
