"""What is replaced when selected images are captioned again, asked before it is done."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.workspace import ImageRow
from gui.widgets.counted import counted
from gui.widgets.labels import paragraph
from gui.widgets.line_break import breakable

_SIZE = (560, 440)
_LEAST_SIZE = (400, 300)
_MOST_LISTED = 500


class AgainDialog(QDialog):
    """`chosen(bool)`: caption the images again, and whether also where a person wrote the caption;
    `options_asked()`: choose prompts and other options of a run over these images."""

    chosen = Signal(bool)
    options_asked = Signal()

    def __init__(
        self,
        rows: Sequence[ImageRow],
        untouched: Collection[int],
        prompts: Sequence[str],
        parent: QWidget | None = None,
    ):
        """`untouched` are the ids of images whose captions no person wrote or changed, and
        `prompts` what is asked about each image."""
        super().__init__(parent)
        self.setObjectName("again_dialog")
        self.setWindowTitle(self.tr("Caption again"))
        self._rows = rows
        self._by_person = [row for row in rows if row.has_caption and row.id not in untouched]
        self.prompt_label = paragraph(breakable("\n".join(prompts)))
        self.kept_label = paragraph(style="key")
        self.person_box = QCheckBox(self.tr("Also replace captions that a person wrote"))
        self.person_box.setObjectName("person_box")
        self.person_box.setVisible(bool(self._by_person))
        self.list_label = QLabel()
        self.list_label.setProperty("class", "key")
        self.list = QListWidget()
        self.list.setObjectName("replaced_list")
        self.list.setAccessibleName(self.tr("Captions that are replaced"))
        self.list.setWordWrap(True)
        self.list.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        self.options_button = QPushButton(self.tr("Change options…"))
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.again_button = QPushButton(self.tr("Caption again"))
        self.again_button.setObjectName("again_button")
        self.again_button.setDefault(True)
        self._place()
        self.person_box.toggled.connect(self._show_replaced)
        self.options_button.clicked.connect(self._on_options_asked)
        self.cancel_button.clicked.connect(self.reject)
        self.again_button.clicked.connect(self._on_chosen)
        self._show_replaced()

    def _place(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 16)
        column.setSpacing(8)
        one, many = self.tr("Caption 1 image again"), self.tr("Caption {count} images again")
        title = QLabel(counted(len(self._rows), one, many))
        title.setProperty("class", "section")
        for part in (title, self.prompt_label, self.kept_label, self.person_box, self.list_label):
            column.addWidget(part)
        column.addWidget(self.list, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.options_button)
        foot.addStretch(1)
        foot.addWidget(self.cancel_button)
        foot.addWidget(self.again_button)
        column.addLayout(foot)
        self.setMinimumSize(*_LEAST_SIZE)
        self.resize(*_SIZE)

    @Slot()
    def _show_replaced(self) -> None:
        kept = [] if self.person_box.isChecked() else self._by_person
        left_alone = {row.id for row in kept}
        replaced = [row for row in self._rows if row.has_caption and row.id not in left_alone]
        one = self.tr("1 caption that a person wrote or changed is kept.")
        many = self.tr("{count} captions that a person wrote or changed are kept.")
        self.kept_label.setText(counted(len(kept), one, many))
        self.kept_label.setVisible(bool(kept))
        one, many = self.tr("1 caption is replaced:"), self.tr("{count} captions are replaced:")
        text = counted(len(replaced), one, many)
        self.list_label.setText(text if replaced else self.tr("No caption is replaced."))
        self.list.clear()
        self.list.addItems([f"{r.path.name}: {r.caption}" for r in replaced[:_MOST_LISTED]])
        if (more := len(replaced) - _MOST_LISTED) > 0:
            self.list.addItem(self.tr("and {count} more").format(count=f"{more:,}"))
        self.list.setEnabled(bool(replaced))
        self.again_button.setEnabled(len(kept) < len(self._rows))

    @Slot()
    def _on_chosen(self) -> None:
        self.chosen.emit(self.person_box.isChecked())
        self.accept()

    @Slot()
    def _on_options_asked(self) -> None:
        self.options_asked.emit()
        self.reject()
