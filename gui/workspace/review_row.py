"""What a person thinks of a caption: accepted, rejected, or needing work."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from core.workspace import ReviewState


class ReviewRow(QWidget):
    """`chosen(ReviewState)`: the person thinks so of it; a second click takes that back."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        texts = {
            ReviewState.ACCEPTED: (self.tr("Accept"), "A"),
            ReviewState.REJECTED: (self.tr("Reject"), "R"),
            ReviewState.NEEDS_WORK: (self.tr("Needs work"), "N"),
        }
        self.buttons: dict[ReviewState, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        for state, (text, key) in texts.items():
            button = QPushButton(text)
            button.setObjectName(f"review_{state.name.lower()}")
            button.setProperty("class", "small")
            button.setCheckable(True)
            button.setAutoDefault(False)
            # Who reviews while writing, or while in the list, goes on there.
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            tip = self.tr("{action} ({key} in the list of images)")
            button.setToolTip(tip.format(action=text, key=key))
            button.clicked.connect(self._on_clicked)
            self.buttons[state] = button
            row.addWidget(button)
        row.addStretch()

    def show_review(self, review: ReviewState) -> None:
        """Shows what was thought of it last."""
        for state, button in self.buttons.items():
            button.setChecked(state is review)

    @Slot()
    def _on_clicked(self) -> None:
        for state, button in self.buttons.items():
            if button is self.sender():
                self.chosen.emit(state if button.isChecked() else ReviewState.UNREVIEWED)
