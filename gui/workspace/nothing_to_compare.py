"""What *Compare answers* shows while there are no two answers to compare."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from gui.widgets.labels import paragraph

_WIDTH = 440


class NothingToCompare(QWidget):
    """`run_asked()`: a run over the images is to be chosen."""

    run_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text_label = paragraph(is_selectable=False)
        self.text_label.setObjectName("compare_empty")
        self.text_label.setMaximumWidth(_WIDTH)
        self.text_label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.run_button = QPushButton(self.tr("Generate captions…"))
        self.run_button.setObjectName("compare_run_button")
        self.run_button.clicked.connect(self.run_asked)
        # Aligned in the column, a text of several lines would have the height of one.
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.text_label, 8)
        middle.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(16)
        column.addStretch(2)
        column.addLayout(middle)
        column.addWidget(self.run_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def show_runs(self, count: int) -> None:
        """Says what is missing, where so many runs have captioned the images."""
        none = self.tr("Run two presets or models over these images to compare their answers.")
        one = self.tr("Run a second preset or model over these images to compare its answers with "
                      "those of the first.")  # fmt: skip
        self.text_label.setText(one if count else none)
