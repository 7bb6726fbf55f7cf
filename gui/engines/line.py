"""The graphics card in one line, with a button that opens more."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from gui.engines import wording
from gui.engines.state import EnginesState, Stage
from gui.widgets.elided_label import ElidedLabel


class EngineLine(QWidget):
    """Where the person is, in a few words. `details_asked()`: the button was clicked."""

    details_asked = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("engine_line")
        self.label = ElidedLabel()
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button = QPushButton()
        self.button.setObjectName("engine_details_button")
        self.button.setProperty("class", "small")
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self.details_asked)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 12, 20, 0)
        row.setSpacing(8)
        row.addWidget(self.label, 1)
        row.addWidget(self.button)
        self.show_state(EnginesState())

    @Slot(object)
    def show_state(self, state: EnginesState) -> None:
        """Shows the state in a few words."""
        self.label.setText(wording.short_sentence(state))
        offers = state.stage in (Stage.OFFERED, Stage.OUTDATED)
        self.button.setText(self.tr("Get…") if offers else self.tr("Details…"))
